"""What every critic shares: it judges pairs (x, z) and gives terms."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import tensorflow as tf

from tfrec.shapes import Positions


class Pairs(NamedTuple):
    """Sequences x and the latents z that were drawn for them.

    x enters critics as data: a constant embedding.

    Attributes:
        items: int32 `[batch, length]`, what was read.
        valid: bool `[batch, length]`, the positions that count.
        weight: float32 `[batch]`.
        positions: The valid positions.
        latent: z at them, float32 `[n, dim]`.
        latents: z at all, float32 `[batch, length, dim]`; None unless a critic
            asked for sequences.
        embed: Embeds items.
    """

    items: tf.Tensor
    valid: tf.Tensor
    weight: tf.Tensor
    positions: Positions
    latent: tf.Tensor
    latents: tf.Tensor | None
    embed: Callable[[tf.Tensor], tf.Tensor]

    def embedded(self) -> tf.Tensor:
        """The item at each valid position, float32 `[n, embedding_dim]`."""
        return tf.stop_gradient(self.embed(self.positions.read(self.items)))

    def embedded_sequences(self) -> tf.Tensor:
        """All items, float32 `[batch, length, embedding_dim]`."""
        return tf.stop_gradient(self.embed(self.items))


class Critic(keras.layers.Layer):
    """A network beside the model, with an objective and a player of its own.

    Attributes:
        terms: Names of what `judge` returns.
        encoder_term: The one that, weighted, enters the encoder's loss.
        own_term: What the critic's own variables minimise.
        needs_sequences: Whether it reads `Pairs.latents`.
        least_rows: Sequences that it needs in a batch.
    """

    terms: tuple[str, ...]
    encoder_term: str
    own_term = "loss"
    needs_sequences = False
    least_rows = 1

    def judge(
        self, pairs: Pairs, noise_seed: keras.random.SeedGenerator
    ) -> dict[str, tf.Tensor]:
        """Returns the terms, float32 scalars, weighted sums over positions.

        Args:
            pairs: What was read, and the latents.
            noise_seed: Where draws from the prior come from.
        """
        raise NotImplementedError
