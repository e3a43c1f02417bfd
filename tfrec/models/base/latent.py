"""What a model with a latent offers to diagnostics and servers."""

from collections.abc import Sequence
from typing import Protocol

import tensorflow as tf

from tfrec.batches import Query


class Latent(Protocol):
    """A latent that can be read, drawn and decoded after a history."""

    def encode(self, query: Query) -> tf.Tensor:
        """Returns the noise-free latent, float32 `[batch, dim]`."""

    def sample(self, query: Query, seeds: tf.Tensor) -> tf.Tensor:
        """Draws from the posterior, as many dimensions as `encode` returns.

        A row depends on its history and its seed alone.

        Args:
            query: What to read.
            seeds: int64 `[batch, 2]`.
        """

    def decode(self, latent: tf.Tensor, query: Query) -> tf.Tensor:
        """Returns log p(item | latent), float32 `[batch, num_items]`.

        Args:
            latent: float32 `[batch, dim]`.
            query: What was read.
        """

    def posterior_draws(
        self, query: Query, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns draws and their centres, for diagnostics.

        Args:
            query: What to read.
            seed: int `[2]`; the draws change nothing that training draws.

        Returns:
            Two float32 `[n, drawn_dim]`: all that the posterior draws for the
            histories, at every position where it draws at each.
        """


# AutoGraph writes files, which stay when the process is killed.
@tf.autograph.experimental.do_not_convert
def row_noise(seeds: tf.Tensor, shape: Sequence[int | tf.Tensor]) -> tf.Tensor:
    """Draws standard normal noise for each row from its own seed.

    Args:
        seeds: int64 `[batch, 2]`.
        shape: Of the noise of a row; a longer one of the same width appends.

    Returns:
        float32 `[batch, *shape]`.
    """
    rows = tf.shape(seeds)[0]
    # One seed at least: draws of none have no shape.
    lacking = tf.cast(rows == 0, tf.int32)
    return tf.map_fn(
        lambda seed: tf.random.stateless_normal(shape, seed, alg="philox"),
        tf.pad(seeds, [[0, lacking], [0, 0]]),
        fn_output_signature=tf.float32,
    )[:rows]
