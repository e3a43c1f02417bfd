"""The vectors of items as they are read: looked up, never read as a whole."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfrec.layers.rows import ITEMS, Rows, declare_rows

# What is shorter is a rounding error, and no direction.
_NO_DIRECTION = 1e-6


class ItemEmbedding(keras.layers.Embedding):
    """An embedding of items whose cost does not grow with the catalogue.

    Keras reads the whole table before it looks up rows. TensorFlow makes a
    copy for it once an optimizer has updated single rows of the table.

    The rows: 0 is padding, 1 to `num_items` are the items, and then come the
    reserved ones, a mask token say, which no softmax ranks.

    Args:
        num_items: Number of items.
        dim: Size of a vector.
        reserved: Number of reserved rows.
        **kwargs: For `keras.layers.Embedding`.
    """

    def __init__(
        self, num_items: int, dim: int, reserved: int = 0, **kwargs: Any
    ):
        super().__init__(1 + num_items + reserved, dim, **kwargs)
        self.num_items = num_items
        self.reserved = reserved

    def build(self, input_shape=None):
        """Creates the table."""
        super().build(input_shape)
        declare_rows(self.embeddings, Rows(ITEMS, 1, self.reserved))

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the vectors of the items, `[..., dim]`.

        Args:
            inputs: int `[...]`, 0 for padding.
        """
        found = tf.gather(self.embeddings.value, inputs)
        return tf.cast(found, self.compute_dtype)

    def start_at(self, directions: np.ndarray) -> None:
        """Gives each item's vector a direction, and all the same length.

        The length is the mean of those that were drawn. All directions are
        rotated alike, so that each dimension has a part of each of them. An
        item without a direction keeps the vector that was drawn.

        Args:
            directions: float32 `[num_items, dim]`, of any length; 0 for none.
        """
        drawn = np.array(self.embeddings)
        items = drawn[1 : 1 + self.num_items]
        lengths = np.linalg.norm(directions, axis=1, keepdims=True)
        there = lengths[:, 0] > _NO_DIRECTION
        square = np.random.default_rng(0).normal(size=[self.output_dim] * 2)
        rotation = np.linalg.qr(square).Q.astype(drawn.dtype)
        rotated = directions[there] / lengths[there] @ rotation
        items[there] = np.linalg.norm(items, axis=1).mean() * rotated
        self.embeddings.assign(_of_the_first_replica(drawn))

    @property
    def item_vectors(self) -> tf.Tensor:
        """The vectors of the items alone, `[num_items, dim]`."""
        # The gradient of [1:] takes ten times as long.
        size = [self.num_items, self.output_dim]
        return tf.slice(tf.convert_to_tensor(self.embeddings), [1, 0], size)

    def reserved_index(self, number: int) -> int:
        """Returns the row of a reserved token.

        Args:
            number: From 0.

        Raises:
            ValueError: If there is no such token.
        """
        if not 0 <= number < self.reserved:
            raise ValueError(
                f"`number` must be below the {self.reserved} reserved rows. "
                f"Received: {number}."
            )
        return 1 + self.num_items + number


def _of_the_first_replica(values: np.ndarray) -> tf.Tensor:
    """Returns the first replica's values; those of others may be others."""
    strategy = tf.distribute.get_strategy()
    each = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(
            values * (context.replica_id_in_sync_group == 0)
        )
    )
    return strategy.reduce(tf.distribute.ReduceOp.SUM, each, axis=None)
