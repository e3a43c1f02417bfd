"""What followed what in the log, as evidence that is added to logits."""

import keras
import numpy as np
import tensorflow as tf

from tfrec.layers.losses.evidence import Evidence
from tfrec.layers.transition_table import TransitionTable

# How many times faster one number learns than Adam would let a weight.
_PACE = 10.0


class TransitionMemory(TransitionTable):
    """Adds g log(1 + e / floor) to logits, e what the log says follows.

    Where the log has nothing to say, the logit stays as the network has it;
    the network is trained beside the memory, and learns what the memory lacks.
    g is a number, fixed or learned, or depends on the state.

    In training the pairs of the very sequence are left out of e: they hold the
    answer, and g would grow to copy it.

    Args:
        num_items: Number of items.
        decay: See base class.
        floor: Where e is that large, the logit grows by g log 2.
        pair_weights: Weight of a pair by distance, the nearest first, as it
            was counted.
        scale: g when training starts.
        learned: Whether it changes.
        by_state: Whether g depends on the state.
    """

    def __init__(
        self,
        num_items: int,
        decay: float,
        floor: float,
        pair_weights: list[float],
        scale: float = 1.0,
        learned: bool = True,
        by_state: bool = False,
        **kwargs,
    ):
        super().__init__(num_items, decay, **kwargs)
        self.floor = floor
        self.pair_weights = pair_weights
        self.learned = learned
        self.by_state = by_state
        # softplus(_PACE * start) = scale
        self._start = float(np.log(np.expm1(scale))) / _PACE

    def build(self, input_shape):
        """Builds for states `[..., dim]`."""
        super().build(input_shape)
        self.bias = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(self._start),
            trainable=self.learned,
            name="bias",
        )
        if self.by_state:
            self.kernel = self.add_weight(
                shape=(input_shape[-1],), initializer="zeros", name="kernel"
            )

    def gates(self, states: tf.Tensor) -> tf.Tensor:
        """Returns g, float32 `[n]`, above 0.

        Args:
            states: float32 `[n, dim]`.
        """
        logits = tf.fill(tf.shape(states)[:1], _PACE) * self.bias
        if self.by_state:
            logits += tf.linalg.matvec(states, self.kernel)
        return tf.nn.softplus(logits)

    def call(self, history: tf.Tensor, states: tf.Tensor) -> tf.Tensor:
        """Returns what is added to the logits after each history.

        Args:
            history: int32 `[batch, length]`, 0 at the end.
            states: float32 `[batch, dim]`, for g.

        Returns:
            float32 `[batch, num_items]`.
        """
        found = self._sum(*self.follow(history), tf.shape(history)[0])
        return self.gates(states)[:, None] * tf.math.log1p(found)

    def _sum(
        self,
        rows: tf.Tensor,
        columns: tf.Tensor,
        values: tf.Tensor,
        count: tf.Tensor,
    ) -> tf.Tensor:
        """Adds up values / floor, float32 `[count, num_items]`."""
        places = rows * self.num_items + tf.cast(columns, tf.int64)
        size = tf.cast(count, tf.int64) * self.num_items
        # In a third of the time of a scatter.
        found = tf.math.unsorted_segment_sum(values / self.floor, places, size)
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
        own = (
            tf.constant(self.pair_weights)
            * tf.gather(self.first_scale, read)[:, None]
        )
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
            rows, columns, strengths = self.rows(read[start:stop])
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
                        tf.gather(rest, there) * self.floor,
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
