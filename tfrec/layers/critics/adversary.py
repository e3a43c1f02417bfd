"""The adversary of adversarial variational Bayes: an estimate of the KL."""

import keras
import tensorflow as tf

from tfrec.layers.critics.base import Critic, Pairs


class Adversary(Critic):
    """T_psi(x, z), eq. 7: its optimum is log q(z | x) - log p(z), eq. 8.

    Its own objective is eq. 7, and the encoder's E_q[T] of eq. 10.

    Args:
        units: Width of the two residual ELU layers.
        prior: Whether |z|^2 / 2 is added to the output. With a standard normal
            prior -log p(z) is |z|^2 / 2 plus a constant, so the network only
            has to learn the rest.
    """

    terms = ("kl_estimate", "adversary_loss")
    encoder_term = "kl_estimate"
    own_term = "adversary_loss"

    def __init__(self, units: int, prior: bool, **kwargs):
        super().__init__(**kwargs)
        self.prior = prior
        self.enter = keras.layers.Dense(units, activation="elu")
        self.residuals = [
            keras.layers.Dense(units, activation="elu") for _ in range(2)
        ]
        self.leave = keras.layers.Dense(1)
        self.units = units

    def build(self, items_shape, latent_shape):
        """Builds for `[n, embedding_dim]` and `[n, latent_dim]`."""
        self.enter.build((None, items_shape[-1] + latent_shape[-1]))
        for layer in (*self.residuals, self.leave):
            layer.build((None, self.units))

    def call(self, items: tf.Tensor, latent: tf.Tensor) -> tf.Tensor:
        """Returns one logit for each row of item embeddings and latents."""
        hidden = self.enter(tf.concat([items, latent], -1))
        for layer in self.residuals:
            hidden += layer(hidden)
        logits = tf.squeeze(self.leave(hidden), -1)
        if self.prior:
            # Centred: its mean under the prior is no part of what T must learn.
            logits += 0.5 * tf.reduce_sum(tf.square(latent) - 1.0, -1)
        return logits

    def judge(
        self, pairs: Pairs, noise_seed: keras.random.SeedGenerator
    ) -> dict[str, tf.Tensor]:
        """See base class: E_q[T] of eq. 10 and the loss of T, eq. 7."""
        items, latent = pairs.embedded(), pairs.latent
        prior = keras.random.normal(tf.shape(latent), seed=noise_seed)
        # Two passes: the gradient of the first alone goes on to the encoder.
        posterior_logits = self(items, latent)
        prior_logits = self(items, prior)
        each = tf.nn.softplus(-posterior_logits) + tf.nn.softplus(prior_logits)
        return {
            "kl_estimate": pairs.positions.sum(posterior_logits),
            "adversary_loss": pairs.positions.sum(each),
        }
