"""What a model with a latent offers to diagnostics and servers."""

from collections.abc import Callable
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


def row_noise(
    seeds: tf.Tensor, draw: Callable[[tf.Tensor], tf.Tensor]
) -> tf.Tensor:
    """Draws for each row from its own seed.

    Args:
        seeds: int64 `[batch, 2]`.
        draw: Returns float32 `[...]` for a seed `[2]`.

    Returns:
        float32 `[batch, ...]`.
    """
    rows = tf.shape(seeds)[0]
    # One seed at least: draws of none have no shape.
    lacking = tf.cast(rows == 0, tf.int32)
    seeds = tf.pad(seeds, [[0, lacking], [0, 0]])
    return tf.map_fn(draw, seeds, fn_output_signature=tf.float32)[:rows]
