"""What stands in the place of the adversary to see what it adds."""

import keras
import tensorflow as tf

from tfrec.layers.critics.base import Critic, Pairs


class SquaredNorm(Critic):
    """|z|^2 / 2, the part of log q - log p that no adversary has to learn.

    It draws latents to 0 and learns nothing.
    """

    terms = ("l2",)
    encoder_term = "l2"

    def build(self, items_shape, latent_shape):
        """Builds nothing; see base class."""

    def judge(
        self, pairs: Pairs, noise_seed: keras.random.SeedGenerator
    ) -> dict[str, tf.Tensor]:
        """See base class."""
        del noise_seed
        each = 0.5 * tf.reduce_sum(tf.square(pairs.latent), -1)
        return {"l2": pairs.positions.sum(each)}
