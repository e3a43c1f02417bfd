"""Encoders: from embedded items to a state at every position, causal."""

import keras
import tensorflow as tf

from tfrec.layers.linear_recurrence import RecurrentBlock
from tfrec.layers.recurrent import GRU
from tfrec.layers.session_attention import SessionAttention
from tfrec.layers.transformer import (
    PositionEmbedding,
    TransformerBlock,
    through,
)


class Encoder(keras.layers.Layer):
    """Reads embedded items from the left.

    Attributes:
        dim: Size of a state.
    """

    dim: int

    def call(self, embedded: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the states, `[batch, length, dim]`.

        Args:
            embedded: `[batch, length, embedding_dim]`.
            training: Whether dropout is on.
        """
        raise NotImplementedError


class GRUEncoder(Encoder):
    """h = GRU(x), with what follows it: ACVAE, eq. 11.

    Args:
        units: Size of the state.
        activation: "linear" or "softplus".
    """

    def __init__(self, units: int, activation: str = "linear", **kwargs):
        super().__init__(**kwargs)
        self.dim = units
        self.gru = GRU(units, name="gru")
        self.activation = keras.activations.get(activation)

    def build(self, input_shape):
        """Builds for embedded items `[batch, length, embedding_dim]`."""
        self.gru.build(input_shape)

    def call(self, embedded: tf.Tensor, training: bool = False) -> tf.Tensor:
        """See base class."""
        return self.activation(self.gru(embedded, training=training))


class AttentiveGRUEncoder(GRUEncoder):
    """[h_t; c_t]: the GRU's state beside NARM's attention over all so far.

    Args:
        units: Size of the state, and of the attention vector.
        activation: As for `GRUEncoder`.
    """

    def __init__(self, units: int, activation: str = "linear", **kwargs):
        super().__init__(units, activation, **kwargs)
        self.dim = 2 * units
        self.attention = SessionAttention(name="attention")

    def build(self, input_shape):
        """See base class."""
        super().build(input_shape)
        self.attention.build((*input_shape[:-1], self.gru.units))

    def call(self, embedded: tf.Tensor, training: bool = False) -> tf.Tensor:
        """See base class."""
        states = super().call(embedded, training=training)
        return tf.concat([states, self.attention(states)], -1)


class TransformerEncoder(Encoder):
    """Causal self-attention over items and their positions: SASRec, III-A to C.

    Args:
        dim: Size of an item embedding, and of a state.
        max_length: Number of positions.
        blocks: Number of blocks.
        heads: Attention heads of each; they divide `dim`.
        dropout: Rate on attention weights and on what a part of a block adds.
        scale: Items are multiplied by it before positions are added.
    """

    def __init__(
        self,
        dim: int,
        max_length: int,
        blocks: int,
        heads: int,
        dropout: float = 0.0,
        scale: float = 1.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.dim = dim
        self.scale = scale
        self.positions = PositionEmbedding(max_length, name="positions")
        self.blocks = [
            TransformerBlock(heads, dim, dropout=dropout, name=f"block_{i}")
            for i in range(blocks)
        ]
        self.norm = keras.layers.LayerNormalization(epsilon=1e-6, name="norm")

    def build(self, input_shape):
        """Builds for embedded items `[batch, length, dim]`."""
        for layer in (self.positions, *self.blocks, self.norm):
            layer.build(input_shape)

    def call(self, embedded: tf.Tensor, training: bool = False) -> tf.Tensor:
        """See base class."""
        placed = self.positions(self.scale * embedded)
        return through(placed, self.blocks, self.norm, training)


class RecurrentBlocksEncoder(Encoder):
    """Gated linear recurrences over normalised items: RecBLR.

    Args:
        dim: Size of an item embedding, and of a state.
        blocks: Number of blocks.
        dropout: Rate on hidden layers and on what a part of a block adds.
        expansion: Units of a recurrence, in sizes of an embedding.
        kernel_size: Positions that the causal convolution of a block spans.
        min_decay: As for `GatedRecurrence`.
        hidden_units: Width of the hidden layer of a block; 0: 4 * dim.
    """

    def __init__(
        self,
        dim: int,
        blocks: int,
        dropout: float = 0.0,
        expansion: int = 2,
        kernel_size: int = 4,
        min_decay: float = 0.9,
        hidden_units: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.dim = dim
        self.norm = keras.layers.LayerNormalization(epsilon=1e-6, name="norm")
        self.blocks = [
            RecurrentBlock(
                expansion,
                kernel_size,
                min_decay,
                hidden_units or 4 * dim,
                dropout,
                name=f"block_{i}",
            )
            for i in range(blocks)
        ]

    def build(self, input_shape):
        """Builds for embedded items `[batch, length, dim]`."""
        for layer in (self.norm, *self.blocks):
            layer.build(input_shape)

    def call(self, embedded: tf.Tensor, training: bool = False) -> tf.Tensor:
        """See base class."""
        states = self.norm(embedded)
        for block in self.blocks:
            states = block(states, training=training)
        return states


class NoEncoder(Encoder):
    """The embedded items themselves, for a posterior that reads alone.

    Args:
        dim: Size of an item embedding.
    """

    def __init__(self, dim: int, **kwargs):
        super().__init__(**kwargs)
        self.dim = dim

    def call(self, embedded: tf.Tensor, training: bool = False) -> tf.Tensor:
        """See base class."""
        del training
        return embedded
