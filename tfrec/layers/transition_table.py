"""What followed what in the log, and what it says of a history."""

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

# Weight of an item of the history below which it is not read: each costs as
# much as the newest.
LEAST_WEIGHT = 1e-3


class TransitionCounts(NamedTuple):
    """Strengths of pairs of an item and one that followed, in rows.

    Attributes:
        row_splits: int64 `[num_items + 2]`; what followed item i stands from
            `row_splits[i]` to `row_splits[i + 1]`.
        followers: int32 `[pairs]`, items, ascending in a row.
        strengths: float32 `[pairs]`, above 0.
        first_scale: float32 `[num_items + 1]`, what a count is multiplied by
            for its first item;
        second_scale: and for its second. Both are in the strengths.
    """

    row_splits: np.ndarray
    followers: np.ndarray
    strengths: np.ndarray
    first_scale: np.ndarray
    second_scale: np.ndarray


class TransitionTable(keras.layers.Layer):
    """Holds n(i, j), how strongly j followed i, and sums it over histories.

        e(j) = sum_{a >= 0} decay^a n(x_{t-a}, j)

    Args:
        num_items: Number of items.
        decay: Weight of an item of the history for 1 of the one after it.
    """

    def __init__(self, num_items: int, decay: float, **kwargs):
        super().__init__(**kwargs)
        self.num_items = num_items
        self.decay = decay
        # Of a size that is not known before it is counted.
        self.followers, self.strengths = (
            tf.Variable(
                tf.zeros([0], dtype), shape=[None], trainable=False, name=name
            )
            for name, dtype in (
                ("followers", tf.int32),
                ("strengths", tf.float32),
            )
        )

    def build(self, input_shape):
        """Creates the counts of fixed size."""
        del input_shape
        self.row_splits, self.first_scale, self.second_scale = (
            self.add_weight(
                shape=(self.num_items + more,),
                initializer="zeros",
                dtype=dtype,
                trainable=False,
                name=name,
            )
            for name, dtype, more in (
                ("row_splits", "int64", 2),
                ("first_scale", "float32", 1),
                ("second_scale", "float32", 1),
            )
        )

    @property
    def tables(self) -> dict[str, tf.Variable]:
        """What checkpoints save besides the weights."""
        return {"followers": self.followers, "strengths": self.strengths}

    def remember(self, counts: TransitionCounts) -> None:
        """Takes what was counted, in place of what was there."""
        for name, values in counts._asdict().items():
            getattr(self, name).assign(values)

    def follow(
        self, history: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Finds what followed the items of histories.

        Items so far back that they weigh less than a thousandth are not read.

        Args:
            history: int32 `[batch, length]`, 0 at the end.

        Returns:
            int64, int32 and float32 `[n]`: the row of the batch, the column of
            what followed, a summand of its e.
        """
        lengths = tf.math.count_nonzero(history, 1, dtype=tf.int32)
        ages = lengths[:, None] - 1 - tf.range(tf.shape(history)[1])
        weights = self.decay ** tf.cast(tf.maximum(ages, 0), tf.float32)
        places = tf.where((ages >= 0) & (weights > LEAST_WEIGHT))
        owners, columns, strengths = self.rows(tf.gather_nd(history, places))
        weights = tf.gather(tf.gather_nd(weights, places), owners)
        return tf.gather(places[:, 0], owners), columns, weights * strengths

    def rows(self, items: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Looks up what followed items.

        Args:
            items: int32 `[m]`; nothing follows 0.

        Returns:
            int64, int32 and float32 `[pairs]`: which of `items`, the column
            that followed, and how strongly.
        """
        splits = tf.convert_to_tensor(self.row_splits)
        places = tf.ragged.range(
            tf.gather(splits, items), tf.gather(splits, items + 1)
        )
        return (
            places.value_rowids(),
            tf.gather(self.followers, places.values) - 1,
            tf.gather(self.strengths, places.values),
        )
