"""What came before each position: the items that its softmax leaves out."""

from typing import NamedTuple

import tensorflow as tf

# Added to the logit of an item: its probability is 0, its logit finite.
_LEFT_OUT = -1e30


class Histories(NamedTuple):
    """Histories of n positions in a batch of sequences.

    Attributes:
        columns: int32 `[batch, length]`, the softmax's column of each item;
            negative for none.
        places: int `[n, 2]`, the sequence of each position and the last
            element that its history has.
    """

    columns: tf.Tensor
    places: tf.Tensor

    def cut(self, start: tf.Tensor, stop: tf.Tensor) -> "Histories":
        """Returns the histories of the positions from `start` to `stop`."""
        return Histories(self.columns, self.places[start:stop])

    def among(self, drawn: tf.Tensor) -> "Histories":
        """Returns the histories in a softmax over some of the columns.

        Args:
            drawn: int32 `[m]`, the columns; of equals the first counts.
        """
        order = tf.argsort(drawn, stable=True)
        ascending = tf.gather(drawn, order)
        nearest = tf.searchsorted(ascending, tf.reshape(self.columns, [-1]))
        nearest = tf.minimum(nearest, tf.size(drawn) - 1)
        nearest = tf.reshape(nearest, tf.shape(self.columns))
        is_drawn = tf.gather(ascending, nearest) == self.columns
        columns = tf.where(is_drawn, tf.gather(order, nearest), -1)
        return Histories(columns, self.places)

    def hold(self, drawn: tf.Tensor) -> tf.Tensor:
        """Returns which columns the whole sequence of each position has.

        Args:
            drawn: int32 `[n, m]`.

        Returns:
            bool `[n, m]`.
        """
        # One sorted list of (sequence, column) serves all rows.
        base = tf.cast(tf.reduce_max(drawn), tf.int64) + 2
        columns = tf.cast(self.columns, tf.int64)
        sequences = tf.range(tf.shape(columns, tf.int64)[0])[:, None]
        keys = tf.where(
            (columns >= 0) & (columns < base), sequences * base + columns, -1
        )
        keys = tf.sort(tf.reshape(keys, [-1]))
        asked = self.places[:, :1] * base + tf.cast(drawn, tf.int64)
        places = tf.searchsorted(keys, tf.reshape(asked, [-1]))
        found = tf.gather(keys, tf.minimum(places, tf.size(keys) - 1))
        return tf.reshape(found, tf.shape(asked)) == asked

    def penalties(
        self, width: tf.Tensor, kept: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Returns what leaves each history out when it is added to logits.

        Args:
            width: Number of columns of the softmax.
            kept: int32 `[n, k]`, columns to leave in; negative for none.

        Returns:
            float32 `[n, width]`.
        """
        columns = tf.gather(self.columns, self.places[:, 0])
        last = tf.cast(self.places[:, 1:], tf.int32)
        before = (tf.range(tf.shape(columns)[1]) <= last) & (columns >= 0)
        if kept is not None:
            for j in range(kept.shape[1]):
                before &= columns != kept[:, j, None]
        # Faster than a scatter; it ignores the column beyond the last.
        return tf.math.bincount(
            tf.where(before, columns, width),
            weights=tf.fill(tf.shape(columns), _LEFT_OUT),
            minlength=width,
            maxlength=width,
            axis=-1,
        )

    def mean_of_others(
        self, kernel: tf.Tensor, bias: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Averages vectors and biases of the items that a history lacks.

        Args:
            kernel: float32 `[num_items, dim]`.
            bias: float32 `[num_items]`.

        Returns:
            float32 `[n, dim]` and `[n]`.
        """
        columns = tf.maximum(self.columns, 0)
        table = tf.concat(
            [kernel, bias[:, None], tf.ones_like(bias)[:, None]], 1
        )
        # What comes before each element, added up by a product: faster than
        # tf.cumsum. An item that comes twice counts once.
        length = tf.shape(columns)[1]
        before = tf.linalg.band_part(tf.ones([length, length]), -1, 0)
        before *= tf.cast(_first_of_their_kind(self.columns), tf.float32)[
            :, None
        ]
        others = tf.reduce_sum(table, 0) - before @ tf.gather(table, columns)
        others = tf.gather_nd(others, self.places)
        # Not others[:, :-1]: its gradient takes several times as long.
        vectors, offsets, count = tf.split(others, [kernel.shape[1], 1, 1], 1)
        # At least one, where nothing is left.
        count = tf.maximum(count, 1.0)
        return vectors / count, tf.squeeze(offsets / count, 1)


def _first_of_their_kind(values: tf.Tensor) -> tf.Tensor:
    """Returns which numbers of each row are neither negative nor repeated."""
    order = tf.argsort(values, stable=True)
    ascending = tf.gather(values, order, batch_dims=1)
    differs = ascending[:, 1:] != ascending[:, :-1]
    first = tf.concat([tf.ones_like(values[:, :1], tf.bool), differs], 1)
    back = tf.argsort(order)
    return tf.gather(first, back, batch_dims=1) & (values >= 0)
