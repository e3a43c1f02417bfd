"""Scores of items from hidden states; what is made of them is a loss's."""

import contextlib
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf

from tfrec.layers.item_embedding import ItemEmbedding
from tfrec.layers.rows import ITEMS, Rows, declare_rows

# Columns whose logits are computed at once in evaluation, at most.
_TILE = 8192


class ItemLogits(keras.layers.Layer):
    """One logit for each item: item vector times state, plus a bias.

    Args:
        num_items: Number of items.
        embedding: Item embedding whose vectors serve as item vectors too
            ("tied"); None for vectors of the layer's own.
        cosine_scale: If positive, logits are this times the cosine between
            state and item vector, so that popular items, whose vectors grow
            long, have no head start (NISER, Gupta et al. 2019).
        use_bias: Whether items have biases; without, they stay 0.
    """

    def __init__(
        self,
        num_items: int,
        embedding: ItemEmbedding | None = None,
        cosine_scale: float = 0.0,
        use_bias: bool = True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_items = num_items
        self.cosine_scale = cosine_scale
        self.use_bias = use_bias
        # Behind a function, so that Keras does not count the embedding's
        # variables as this layer's.
        self._tied = embedding and (lambda: embedding)
        self._read = None

    def build(self, input_shape):
        """Creates the item vectors, `[num_items, dim]`, and biases."""
        if not self._tied:
            self.own_kernel = self.add_weight(
                name="kernel", shape=[self.num_items, input_shape[-1]]
            )
            declare_rows(self.own_kernel, Rows(ITEMS))
        self.bias = self.add_weight(
            name="bias",
            shape=[self.num_items],
            initializer="zeros",
            trainable=self.use_bias,
        )
        declare_rows(self.bias, Rows(ITEMS))

    def start_at(self, counts: tf.Tensor) -> None:
        """Sets the biases to the log-frequencies of the items.

        Args:
            counts: float32 `[num_items]`, interactions per item.
        """
        logits = tf.math.log(counts + 1.0)
        self.bias.assign(logits - tf.reduce_mean(logits))

    @property
    def kernel(self) -> tf.Tensor:
        """Item vectors, `[num_items, dim]`, as they enter the products."""
        vectors = self._tied().item_vectors if self._tied else self.own_kernel
        vectors = tf.convert_to_tensor(vectors)
        return tf.nn.l2_normalize(vectors, 1) if self.cosine_scale else vectors

    def vectors(self, columns: tf.Tensor) -> tf.Tensor:
        """Looks up rows of `kernel` without reading the others.

        Args:
            columns: int `[...]`, from 0.
        """
        if self._tied:
            vectors = tf.gather(self._tied().embeddings.value, columns + 1)
        else:
            vectors = tf.gather(self.own_kernel.value, columns)
        return tf.nn.l2_normalize(vectors, -1) if self.cosine_scale else vectors

    def biases(self, columns: tf.Tensor) -> tf.Tensor:
        """Looks up the biases of columns."""
        return tf.gather(self.bias.value, columns)

    def scaled(self, hidden: tf.Tensor) -> tf.Tensor:
        """Returns states as they enter the products."""
        if not self.cosine_scale:
            return hidden
        return self.cosine_scale * tf.nn.l2_normalize(hidden, -1)

    def call(self, hidden: tf.Tensor) -> tf.Tensor:
        """Returns log-probabilities, float32 `[..., num_items]`."""
        return tf.nn.log_softmax(self.scores(hidden))

    def scores(self, hidden: tf.Tensor) -> tf.Tensor:
        """Returns the logits of all items, float32 `[..., num_items]`."""
        if self._read:
            return self._read(hidden)
        hidden = self.scaled(hidden)
        return tf.matmul(hidden, self.kernel, transpose_b=True) + self.bias

    @contextlib.contextmanager
    def read_only(
        self, logits: Callable[[tf.Tensor], tf.Tensor] | None = None
    ) -> Iterator[tf.Variable | None]:
        """Makes graphs traced in it read a copy of the item vectors.

        It is transposed and, with `cosine_scale`, of vectors of length 1: the
        product with a single state then takes a fifth less time, and no call
        normalises the table. The copy, which this gives, does not follow the
        weights, and has to outlive the graphs.

        Args:
            logits: Who has a copy already, in another order, gives what reads
                it: a function of `product_states` that returns all logits.
        """
        copy = None
        if logits:
            self._read = lambda hidden: logits(self.product_states(hidden))
        else:
            copy = tf.Variable(tf.transpose(self.kernel), trainable=False)
            self._read = lambda hidden: self.scaled(hidden) @ copy + self.bias
        try:
            yield copy
        finally:
            self._read = None

    def product_vectors(self) -> tf.Tensor:
        """Returns item vectors with their biases, `[num_items, dim + 1]`.

        Their products with `product_states` are the logits.
        """
        return tf.concat([self.kernel, self.bias[:, None]], 1)

    def product_states(self, hidden: tf.Tensor) -> tf.Tensor:
        """Returns states with a 1 for the bias, float32 `[..., dim + 1]`."""
        scaled = self.scaled(hidden)
        return tf.concat([scaled, tf.ones_like(scaled[..., :1])], -1)

    @property
    def tile(self) -> int:
        """Number of columns that `logits` returns; no more than needed."""
        tiles = -(-self.num_items // _TILE)
        return -(-self.num_items // (64 * tiles)) * 64

    def logits(self, hidden: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
        """Returns logits of a tile of columns, float32 `[..., tile]`.

        Of a width that does not depend on what is asked for: a product of
        another shape may round otherwise.

        Args:
            hidden: float32 `[..., dim]`.
            start: The first column. Beyond the last column, it is repeated.
        """
        columns = start + tf.range(self.tile)
        columns = tf.minimum(columns, self.num_items - 1)
        logits = tf.matmul(
            self.scaled(hidden), self.vectors(columns), transpose_b=True
        )
        return logits + self.biases(columns)
