"""What followed what in the log, as evidence that is added to logits."""

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfrec.layers.losses.evidence import Evidence

# Weight of an item of the history below which a score does not read it.
_LEAST = 1e-3


class Transitions(NamedTuple):
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


class TransitionMemory(keras.layers.Layer):
    """Adds g log(1 + e / floor) to logits, e what the log says follows.

        e_t(j) = sum_{a >= 0} decay^a n(x_{t-a}, j)
        n(i, j) = c_ij / (sum_k c_ik)^row_power / (sum_k c_kj)^item_power

    with c_ij the weighted number of times that j came after i. Where a count
    has nothing to say, the logit stays as the network has it; the network is
    trained beside the memory, and learns what the memory lacks. g is learned:
    one number, or one for each state.

    In training the pairs of the very sequence are left out of e: they hold the
    answer, and g would grow to copy it.

    Args:
        num_items: Number of items.
        decay: Weight of an item of the history for 1 of the one after it.
        floor: Where e is that large, the logit grows by g log 2.
        pair_weights: Weight of a pair by distance, the nearest first.
        by_state: Whether g depends on the state.
        scale: g when training starts.
    """

    def __init__(
        self,
        num_items: int,
        decay: float,
        floor: float,
        pair_weights: list[float],
        by_state: bool = False,
        scale: float = 0.5,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_items = num_items
        self.decay = decay
        self.floor = floor
        self.pair_weights = pair_weights
        self.by_state = by_state
        # softplus(start) = scale
        self._start = float(np.log(np.expm1(scale)))
        self.followers = self._table(tf.int32, "followers")
        self.strengths = self._table(tf.float32, "strengths")

    def _table(self, dtype: tf.DType, name: str) -> tf.Variable:
        return tf.Variable(
            tf.zeros([0], dtype), shape=[None], trainable=False, name=name
        )

    def build(self, input_shape):
        """Builds for states `[..., dim]`."""

        def fixed(name, size, dtype):
            return self.add_weight(
                shape=(size,),
                initializer="zeros",
                dtype=dtype,
                trainable=False,
                name=name,
            )

        self.row_splits = fixed("row_splits", self.num_items + 2, "int64")
        self.first_scale = fixed("first_scale", self.num_items + 1, "float32")
        self.second_scale = fixed("second_scale", self.num_items + 1, "float32")
        self.bias = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(self._start),
            name="bias",
        )
        if self.by_state:
            self.kernel = self.add_weight(
                shape=(input_shape[-1],), initializer="zeros", name="kernel"
            )

    def remember(self, transitions: Transitions) -> None:
        """Takes what was counted."""
        self.row_splits.assign(transitions.row_splits)
        self.first_scale.assign(transitions.first_scale)
        self.second_scale.assign(transitions.second_scale)
        self.followers.assign(transitions.followers)
        self.strengths.assign(transitions.strengths)

    def gates(self, states: tf.Tensor) -> tf.Tensor:
        """Returns g, float32 `[n]`, above 0.

        Args:
            states: float32 `[n, dim]`.
        """
        logits = tf.fill(tf.shape(states)[:1], 1.0) * self.bias
        if self.by_state:
            logits += tf.linalg.matvec(states, self.kernel)
        return tf.nn.softplus(logits)

    # Scoring ----------------------------------------------------------------

    def call(self, history: tf.Tensor, states: tf.Tensor) -> tf.Tensor:
        """Returns what is added to the logits after each history.

        Items so far back that they weigh less than a thousandth are not read.

        Args:
            history: int32 `[batch, length]`, 0 at the end.
            states: float32 `[batch, dim]`, for g.

        Returns:
            float32 `[batch, num_items]`.
        """
        lengths = tf.math.count_nonzero(history, 1, dtype=tf.int32)
        ages = lengths[:, None] - 1 - tf.range(tf.shape(history)[1])
        weights = self.decay ** tf.cast(tf.maximum(ages, 0), tf.float32)
        places = tf.where((ages >= 0) & (weights > _LEAST))
        owners, columns, strengths = self._rows(tf.gather_nd(history, places))
        strengths *= tf.gather(tf.gather_nd(weights, places), owners)
        found = self._sum(
            tf.gather(places[:, 0], owners),
            columns,
            strengths,
            tf.shape(history)[0],
        )
        return self.gates(states)[:, None] * tf.math.log1p(found)

    def _rows(
        self, items: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Looks up what followed items.

        Args:
            items: int32 `[m]`; nothing follows 0.

        Returns:
            int64, int32 and float32 `[pairs]`: which of `items`, the column
            that followed, and how strongly, for 1 of the floor.
        """
        splits = tf.convert_to_tensor(self.row_splits)
        places = tf.ragged.range(
            tf.gather(splits, items), tf.gather(splits, items + 1)
        )
        return (
            places.value_rowids(),
            tf.gather(self.followers, places.values) - 1,
            tf.gather(self.strengths, places.values) / self.floor,
        )

    def _sum(
        self,
        rows: tf.Tensor,
        columns: tf.Tensor,
        values: tf.Tensor,
        count: tf.Tensor,
    ) -> tf.Tensor:
        """Adds up values at their places, float32 `[count, num_items]`."""
        places = rows * self.num_items + tf.cast(columns, tf.int64)
        size = tf.cast(count, tf.int64) * self.num_items
        # In a third of the time of a scatter.
        found = tf.math.unsorted_segment_sum(values, places, size)
        return tf.reshape(found, [-1, self.num_items])

    # Training ---------------------------------------------------------------

    def evidence(
        self, items: tf.Tensor, places: tf.Tensor, states: tf.Tensor
    ) -> Evidence:
        """Returns what is added to the logits of a batch in training.

        Args:
            items: int32 `[batch, length]`, whole sequences, 0 at the end.
            places: int64 `[n, 2]`, sequence and position: of each sequence all
                from the first on, in order, see `Positions`.
            states: float32 `[n, dim]`, for g.
        """
        read = tf.gather_nd(items, places)
        # Of the sequence itself: what came after each item, how strongly.
        distances = tf.range(1, len(self.pair_weights) + 1, dtype=tf.int64)
        width = tf.shape(items, tf.int64)[1]
        later = places[:, 1:] + distances
        came = tf.gather(
            tf.gather(items, places[:, 0]),
            tf.minimum(later, width - 1),
            batch_dims=1,
        )
        came = tf.where(later < width, came, 0)
        own = tf.constant(self.pair_weights) / self.floor * tf.gather(
            self.first_scale, read
        )[:, None]
        own *= tf.gather(self.second_scale, came)
        # Equal where the same sequence has the same item again. Rows that pad
        # the positions read the first one: they are none.
        keys = places[:, 0] * (self.num_items + 1) + tf.cast(read, tf.int64)
        real = tf.reduce_any(places[1:] > 0, 1)
        keys = tf.concat([keys[:1], tf.where(real, keys[1:], -1)], 0)
        # What is left of the evidence at the position before.
        kept = tf.where(places[:, 1] > 0, self.decay, 0.0)

        def block(
            start: tf.Tensor, stop: tf.Tensor, before: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor]:
            count = stop - start
            rest = kept[start] * before
            there = tf.where(rest > 0)[:, 0]
            rows, columns, strengths = self._rows(read[start:stop])
            # An item that comes again has the pairs of all its places.
            same = tf.where(keys[start:stop, None] == keys)
            lost = tf.gather(came, same[:, 1])
            counts = lost > 0
            owners = tf.broadcast_to(same[:, :1], tf.shape(lost, tf.int64))
            new = self._sum(
                tf.concat(
                    [
                        tf.zeros_like(there),
                        rows,
                        tf.boolean_mask(owners, counts),
                    ],
                    0,
                ),
                tf.concat(
                    [
                        tf.cast(there, tf.int32),
                        columns,
                        tf.boolean_mask(lost, counts) - 1,
                    ],
                    0,
                ),
                tf.concat(
                    [
                        tf.gather(rest, there),
                        strengths,
                        -tf.boolean_mask(tf.gather(own, same[:, 1]), counts),
                    ],
                    0,
                ),
                count,
            )
            # e_t - decay e_(t-1) = n_t, a system of two diagonals.
            ones = tf.ones([count])
            below = tf.concat([[0.0], -kept[start + 1 : stop]], 0)
            found = tf.linalg.tridiagonal_solve(
                tf.stack([tf.zeros_like(ones), ones, below]),
                new,
                diagonals_format="compact",
                partial_pivoting=False,
            )
            # Rounding may leave less than nothing of what was taken away.
            return tf.math.log1p(tf.nn.relu(found)), found[-1]

        return Evidence(self.gates(states), block)
