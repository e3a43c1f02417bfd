"""Self-attention over a sequence: a Transformer block, learned positions.

Vaswani et al.: Attention Is All You Need (NeurIPS'17), section 3.
https://arxiv.org/abs/1706.03762
"""

import warnings
from collections.abc import Callable, Iterable, Sequence

import keras
import tensorflow as tf

# Keras's default, 1e-3, would show where a vector is short.
_EPSILON = 1e-6
# Of a block, from vectors to vectors.
Part = Callable[[tf.Tensor], tf.Tensor]


class TransformerBlock(keras.layers.Layer):
    """Self-attention and then a layer of hidden units, each with a residual.

    With `norm_first`, as in SASRec (ICDM'18), vectors are normalised before
    they are read, and a block's output is not:

        y = x + dropout(attend(norm(x)))
        z = y + dropout(feed(norm(y)))

    Otherwise, as in BERT4Rec (CIKM'19), after each part:

        y = norm(x + dropout(attend(x)))
        z = norm(y + dropout(feed(y)))

    with attend(x) the attention of several heads and feed(x) two dense layers,
    the second without an activation.

    Args:
        heads: Number of attention heads; they divide the size of a vector.
        units: Width of the hidden layer.
        activation: Of the hidden layer: "relu" or "gelu".
        dropout: Rate on the attention weights, and on what each part adds.
        causal: Whether a position attends to none that is later.
        norm_first: See above.
        kernel_deviation: Standard deviation of the kernels before training; 0:
            uniform, by their sizes (Glorot and Bengio, AISTATS'10).
    """

    def __init__(
        self,
        heads: int,
        units: int,
        activation: str = "relu",
        dropout: float = 0.0,
        causal: bool = True,
        norm_first: bool = True,
        kernel_deviation: float = 0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.heads = heads
        self.kernel_deviation = kernel_deviation
        self.causal = causal
        self.norm_first = norm_first
        self.rate = dropout
        self.hidden = keras.layers.Dense(
            units,
            activation=activation,
            kernel_initializer=self._first_kernel(),
            name="hidden",
        )
        self.attention_norm, self.feed_norm = (
            keras.layers.LayerNormalization(epsilon=_EPSILON, name=name)
            for name in ("attention_norm", "feed_norm")
        )
        self.dropout = keras.layers.Dropout(dropout)

    def build(self, input_shape):
        """Builds for vectors `[batch, length, dim]`.

        Raises:
            ValueError: If the heads do not divide `dim`.
        """
        dim = input_shape[-1]
        if dim % self.heads:
            raise ValueError(
                f"`heads` must divide the size of a vector ({dim}). Received: "
                f"{self.heads}."
            )
        self.attention = keras.layers.MultiHeadAttention(
            self.heads,
            dim // self.heads,
            dropout=self.rate,
            kernel_initializer=self._first_kernel(),
            name="attention",
        )
        self.attention.build(input_shape, input_shape)
        self.hidden.build(input_shape)
        self.output_layer = keras.layers.Dense(
            dim, kernel_initializer=self._first_kernel(), name="output"
        )
        self.output_layer.build((*input_shape[:-1], self.hidden.units))
        self.attention_norm.build(input_shape)
        self.feed_norm.build(input_shape)

    def _first_kernel(self) -> keras.initializers.Initializer:
        # One for each kernel: the same would draw the same numbers again.
        if self.kernel_deviation:
            return keras.initializers.RandomNormal(stddev=self.kernel_deviation)
        return keras.initializers.GlorotUniform()

    def call(
        self,
        inputs: tf.Tensor,
        valid: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Maps vectors to vectors, both `[batch, length, dim]`.

        Args:
            inputs: The vectors.
            valid: bool `[batch, length]`, the positions that others attend to;
                all by default. A causal block needs none: padding stands at
                the end, after every position that counts.
            training: Whether dropout is on.
        """

        def attend(x):
            with warnings.catch_warnings():
                # Over a single item, which is no mistake.
                warnings.filterwarnings("ignore", "You are using a softmax")
                return self.attention(
                    x,
                    x,
                    attention_mask=None if valid is None else valid[:, None],
                    use_causal_mask=self.causal,
                    training=training,
                )

        def feed(x):
            return self.output_layer(self.hidden(x))

        parts = ((attend, self.attention_norm), (feed, self.feed_norm))
        return add_parts(inputs, parts, self.dropout, self.norm_first, training)


def add_parts(
    vectors: tf.Tensor,
    parts: Iterable[tuple[Part, Part]],
    dropout: keras.layers.Dropout,
    norm_first: bool,
    training: bool,
) -> tf.Tensor:
    """Adds to vectors what each part of a block makes of them, normalised.

    Args:
        vectors: `[batch, length, dim]`.
        parts: Each with its normalisation, one after the other.
        dropout: Of what a part adds.
        norm_first: Whether a part reads normalised vectors; otherwise the sum
            is normalised.
        training: Whether dropout is on.
    """
    for part, norm in parts:
        change = part(norm(vectors) if norm_first else vectors)
        vectors += dropout(change, training=training)
        if not norm_first:
            vectors = norm(vectors)
    return vectors


class PositionEmbedding(keras.layers.Layer):
    """Adds a learned vector to each position, counted from the oldest item.

    Args:
        max_length: Number of positions.
    """

    def __init__(self, max_length: int, **kwargs):
        super().__init__(**kwargs)
        self.max_length = max_length

    def build(self, input_shape):
        """Creates the vectors, `[max_length, dim]`, short beside an item's."""
        self.embeddings = self.add_weight(
            shape=[self.max_length, input_shape[-1]],
            initializer=keras.initializers.RandomNormal(stddev=0.02),
            name="embeddings",
        )

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Adds the vectors of positions to `[batch, length, dim]`.

        What stands beyond `max_length` gets the last one. It is padding: a
        model reads at most so many items.
        """
        places = tf.range(tf.shape(inputs)[1])
        places = tf.minimum(places, self.max_length - 1)
        return inputs + tf.gather(tf.convert_to_tensor(self.embeddings), places)


def through(
    vectors: tf.Tensor,
    blocks: Sequence[TransformerBlock],
    norm: keras.layers.LayerNormalization,
    training: bool = False,
) -> tf.Tensor:
    """Returns what blocks that normalise first make of vectors, normalised.

    Args:
        vectors: `[batch, length, dim]`.
        blocks: One after the other.
        norm: Of the last one's output.
        training: Whether dropout is on.
    """
    for block in blocks:
        vectors = block(vectors, training=training)
    return norm(vectors)
