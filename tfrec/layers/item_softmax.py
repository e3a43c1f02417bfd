"""The softmax over all items."""

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf

from tfrec.errors import InputError
from tfrec.layers.full_softmax import softmax_loss
from tfrec.layers.histories import Histories
from tfrec.layers.sampled_softmax import draw_items, sampled_softmax_loss

# Columns whose logits are computed at once in evaluation, at most.
_TILE = 8192


class ItemSoftmax(keras.layers.Layer):
    """A categorical distribution over items from hidden states.

    Args:
        num_items: Number of items.
        label_smoothing: Share of each target spread evenly over all items.
        matmul_dtype: Type in which the products with the item vectors are
            taken; the softmax itself stays in float32.
        embedding: Item embedding, `[num_items + 1, dim]` with padding first,
            whose vectors serve as item vectors too ("tied"); None for vectors
            of the layer's own.
        cosine_scale: If positive, logits are this times the cosine between
            state and item vector, so that popular items, whose vectors grow
            long, have no head start (NISER, Gupta et al. 2019).
        samples: If positive, the loss is that of a softmax over the targets
            and of items drawn by popularity in this many draws, and its cost
            does not grow with the number of items.

    Raises:
        InputError: If `samples` is not below the number of items.
    """

    def __init__(
        self,
        num_items: int,
        label_smoothing: float = 0.0,
        matmul_dtype: str = "float32",
        embedding: keras.layers.Embedding | None = None,
        cosine_scale: float = 0.0,
        samples: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if samples >= num_items:
            raise InputError(
                "`--softmax_samples` must be below the number of items "
                f"({num_items}). Received: {samples}. Lower it, or set "
                "`--softmax=full`."
            )
        self.num_items = num_items
        self.label_smoothing = label_smoothing
        self.matmul_dtype = matmul_dtype
        self.cosine_scale = cosine_scale
        self.samples = samples
        if samples:
            self.seed_generator = keras.random.SeedGenerator()
        # Behind a function, so that Keras does not count the embedding's
        # variables as this layer's.
        self._tied = embedding and (lambda: embedding.embeddings)
        self._columns = None

    def build(self, input_shape):
        """Creates the item vectors, `[num_items, dim]`, and biases."""
        if not self._tied:
            self.own_kernel = self.add_weight(
                name="kernel", shape=[self.num_items, input_shape[-1]]
            )
        self.bias = self.add_weight(
            name="bias", shape=[self.num_items], initializer="zeros"
        )

        if self.samples:
            # The columns in the order of popularity, and each column's place
            # in it: the vocabulary's own order until `order_by`.
            self.order, self.places = (
                self.add_weight(
                    name=name,
                    shape=[self.num_items],
                    initializer=lambda shape, dtype: tf.range(
                        shape[0], dtype=dtype
                    ),
                    dtype="int64",
                    trainable=False,
                )
                for name in ("order", "places")
            )

    def order_by(self, counts: tf.Tensor) -> None:
        """Sets the popularity by which the sample is drawn.

        Args:
            counts: float32 `[num_items]`, interactions per item.
        """
        order = tf.argsort(counts, direction="DESCENDING", stable=True)
        self.order.assign(order)
        self.places.assign(tf.math.invert_permutation(order))

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
        vectors = self._tied()[1:] if self._tied else self.own_kernel
        vectors = tf.convert_to_tensor(vectors)
        return tf.nn.l2_normalize(vectors, 1) if self.cosine_scale else vectors

    def _vectors(self, columns: tf.Tensor) -> tf.Tensor:
        """Looks up rows of `kernel` without reading the others."""
        if self._tied:
            vectors = tf.gather(self._tied().value, columns + 1)
        else:
            vectors = tf.gather(self.own_kernel.value, columns)
        return tf.nn.l2_normalize(vectors, -1) if self.cosine_scale else vectors

    def _scaled(self, hidden: tf.Tensor) -> tf.Tensor:
        """Returns states as they enter the products."""
        if not self.cosine_scale:
            return hidden
        return self.cosine_scale * tf.nn.l2_normalize(hidden, -1)

    def call(self, hidden: tf.Tensor) -> tf.Tensor:
        """Returns log-probabilities, float32 `[..., num_items]`."""
        hidden = self._scaled(hidden)
        if self._columns:
            logits = hidden @ self._columns()
        else:
            logits = tf.matmul(hidden, self.kernel, transpose_b=True)
        return tf.nn.log_softmax(logits + self.bias)

    @contextlib.contextmanager
    def read_only(self) -> Iterator[tf.Variable]:
        """Makes graphs traced in it read a copy of the item vectors.

        It is transposed and, with `cosine_scale`, of vectors of length 1: the
        product with a single state then takes a fifth less time, and no call
        normalises the table. The copy, which this gives, does not follow the
        weights, and has to outlive the graphs.
        """
        copy = tf.Variable(tf.transpose(self.kernel), trainable=False)
        self._columns = lambda: copy
        try:
            yield copy
        finally:
            self._columns = None

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
            self._scaled(hidden), self._vectors(columns), transpose_b=True
        )
        return logits + tf.gather(self.bias.value, columns)

    def loss(
        self,
        hidden: tf.Tensor,
        items: tf.Tensor,
        weights: tf.Tensor,
        history: tf.Tensor | None = None,
        places: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Returns the weighted sum of cross entropies.

        Args:
            hidden: float `[n, dim]`, one row per predicted position.
            items: int32 `[n, k]`, the items that came, 0 for none; those of
                a row share its target probability evenly.
            weights: float32 `[n]`.
            history: int32 `[batch, length]`, 0 at the end. If given, the items
                up to each position, but for its targets, have probability 0.
            places: int `[n, 2]`, sequence and position of each row; required
                with `history`.

        Returns:
            float32 scalar.
        """
        shares = tf.cast(items > 0, tf.float32)
        shares /= tf.maximum(tf.reduce_sum(shares, 1, keepdims=True), 1.0)
        histories = None
        if history is not None:
            histories = Histories(history - 1, places)
        if self.samples:
            return self._sampled_loss(hidden, items, shares, weights, histories)
        return softmax_loss(
            self._scaled(hidden),
            self.kernel,
            tf.convert_to_tensor(self.bias),
            tf.maximum(items - 1, 0),
            shares,
            weights,
            self.label_smoothing,
            self.matmul_dtype,
            histories,
        )

    def _sampled_loss(self, hidden, items, shares, weights, histories):
        targets = tf.maximum(items - 1, 0)
        places = tf.gather(self.places.value, targets)
        sample = draw_items(
            places, self.samples, self.num_items, self.seed_generator
        )
        columns = tf.cast(
            tf.gather(self.order.value, sample.places), items.dtype
        )
        bias = self.bias.value
        return sampled_softmax_loss(
            self._scaled(hidden),
            self._vectors(targets),
            tf.gather(bias, targets) - sample.target_log_chances,
            items,
            self._vectors(columns),
            tf.gather(bias, columns) - sample.log_chances,
            columns + 1,
            shares,
            weights,
            self.matmul_dtype,
            histories and histories.among(columns),
        )
