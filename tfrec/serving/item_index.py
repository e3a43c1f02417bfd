"""A search for the best items that scores only the partitions next to it."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfrec.models.base.items import EXCLUDED, exclude
from tfrec.serving.partitions import Partitions
from tfrec.serving.rows import rows_of
from tfrec.serving.top_items import top_items

# Rows that are searched beside each other, where a server has threads.
_ROWS_AT_ONCE = 8


class Found(NamedTuple):
    """The best items of each row, best first.

    Attributes:
        scores: float32 `[batch, k]`; the lowest float32 where none is left.
        columns: int32 `[batch, k]`.
    """

    scores: tf.Tensor
    columns: tf.Tensor


class ItemIndex(tf.Module):
    """Item vectors, sorted by partition, in plain TensorFlow operations.

    A state is compared with the centres of all partitions, then with every
    vector of the `probes` partitions with the largest products: the scores of
    what is found are exact. Row after row, for a row's vectors, a few MB, then
    stay in the cache, and partitions need not be equally large.

    Args:
        vectors: float32 `[num_items, dim]`, biases inside.
        partitions: Of the same vectors.
        probes: Number of partitions that a search scores.

    Attributes:
        probes: As given.
    """

    def __init__(
        self, vectors: np.ndarray, partitions: Partitions, probes: int
    ):
        super().__init__()
        order = partitions.order
        places = np.empty_like(order)
        places[order] = np.arange(len(order), dtype=order.dtype)
        self.probes = probes
        # The only copy of the item vectors: a product with all of them reads
        # it too.
        self.vectors = tf.Variable(vectors[order], trainable=False)
        self.order = tf.Variable(order, trainable=False)
        self.places = tf.Variable(places, trainable=False)
        self.offsets = tf.Variable(partitions.offsets, trainable=False)
        self.centres = tf.Variable(partitions.centres.T, trainable=False)

    def logits(self, states: tf.Tensor) -> tf.Tensor:
        """Returns the scores of all items.

        Args:
            states: float32 `[..., dim]`.

        Returns:
            float32 `[..., num_items]`, in the order of columns.
        """
        logits = tf.matmul(states, self.vectors, transpose_b=True)
        return tf.gather(logits, self.places, axis=-1)

    def score(self, states: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """Scores a few items for each row.

        Args:
            states: float32 `[batch, dim]`.
            items: int32 `[batch, n]`, from 1.

        Returns:
            float32 `[batch, n]`; of any item where there is none.
        """
        places = rows_of(self.places, tf.maximum(items - 1, 0))
        return tf.linalg.matvec(rows_of(self.vectors, places), states)

    def search(self, states: tf.Tensor, left_out: tf.Tensor, k: int) -> Found:
        """Finds the best items of each row, exactly where too few are probed.

        Args:
            states: float32 `[batch, dim]`.
            left_out: int32 `[batch, n]`, items that are not to be found; 0 for
                none.
            k: Number of items.
        """
        probed = tf.math.top_k(states @ self.centres, self.probes).indices

        def search(row):
            state, partitions, without = row
            found = self._near(state, partitions, without, k)
            return tf.cond(
                found.scores[-1] > EXCLUDED,
                lambda: found,
                lambda: self._exact(state, without, k),
            )

        return tf.map_fn(
            search,
            (states, probed, left_out),
            fn_output_signature=Found(
                tf.TensorSpec([k], tf.float32), tf.TensorSpec([k], tf.int32)
            ),
            parallel_iterations=_ROWS_AT_ONCE,
        )

    def _near(
        self, state: tf.Tensor, probed: tf.Tensor, without: tf.Tensor, k: int
    ) -> Found:
        """Finds the best items of some partitions, for one row."""
        starts = rows_of(self.offsets, probed)
        stops = rows_of(self.offsets, probed + 1)
        places = tf.ragged.range(starts, stops).flat_values
        scores = tf.linalg.matvec(rows_of(self.vectors, places), state)
        # Where the items to leave out are among these places.
        at = rows_of(self.places, tf.maximum(without - 1, 0))
        at = tf.where(without > 0, at, -1)[:, None]
        inside = tf.where((at >= starts) & (at < stops))
        before = tf.cumsum(stops - starts, exclusive=True) - starts
        hits = tf.gather(at[:, 0], inside[:, 0]) + tf.gather(
            before, inside[:, 1]
        )
        lowest = tf.fill(tf.shape(hits), EXCLUDED)
        scores = tf.tensor_scatter_nd_update(scores, hits[:, None], lowest)
        # Fewer than k may be there.
        scores = tf.pad(scores, [[0, k]], constant_values=EXCLUDED)
        places = tf.pad(places, [[0, k]])
        scores, best = tf.math.top_k(scores, k)
        return Found(scores, rows_of(self.order, tf.gather(places, best)))

    def _exact(self, state: tf.Tensor, without: tf.Tensor, k: int) -> Found:
        """Finds the best of all items, for one row."""
        scores = exclude(self.logits(state[None]), without[None])
        scores = tf.ensure_shape(scores, [1, *self.order.shape])
        scores, columns = top_items(scores, k)
        return Found(scores[0], columns[0])
