"""VSKNN: what the sequences have that are most similar to a history.

Ludewig, Jannach: Evaluation of Session-based Recommendation Algorithms (2018),
V-SKNN. https://arxiv.org/abs/1803.09587

Part by part, as in the authors' code (session-rec):

    the 500 newest sequences that share an item with the history
        -> `_candidates`
    similarity: the sum over the items shared of i / n, i the last place of the
    item in the history of n; the 100 most similar are the neighbours
        -> `neighbours`
    score of an item: the sum over the neighbours that have it of similarity
    times 1 / d, the newest item shared being the d-th last of the history
        -> `score`

What is newest? Sequences come to a model in any order and without times. Users
are numbered in the order in which the log first names them: of these, the last
are taken for the newest. Sessions have no number, and are put in an order that
follows from their items, as good as random, but always the same: a sample is
then drawn as by `sampling="random"` in the authors' code. Whatever comes first
in this order is also the nearer of two that are equally similar.

Items that no neighbour has come last, by their popularity; session-rec leaves
them out.
"""

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfrec.batches import Query
from tfrec.models.base.counted import Counted
from tfrec.models.base.items import distinct_array, newest
from tfrec.models.configs.vsknn import VSKNNConfig

_POWERS = {"none": 0.0, "linear": 1.0, "reciprocal": 1.0, "quadratic": 2.0}


def scramble(items: np.ndarray) -> np.ndarray:
    """Returns a number for each sequence that looks random, uint64 `[batch]`.

    Args:
        items: int `[batch, length]`, 0 at the end, which changes nothing.
    """
    found = np.zeros(len(items), np.uint64)
    for column in items.T.astype(np.uint64):
        mixed = (found ^ column) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
        found = np.where(column > 0, mixed, found)
    return found


class Candidates(NamedTuple):
    """Sequences that share an item with a history, history by history.

    Attributes:
        row: int64 `[n]`, the history, ascending.
        sequence: int64 `[n]`, ascending for each.
        similarity: float64 `[n]`.
        distance: int64 `[n]`, from 1, of the newest item that is shared from
            the end of the history.
    """

    row: tf.Tensor
    sequence: tf.Tensor
    similarity: tf.Tensor
    distance: tf.Tensor


@keras.saving.register_keras_serializable("tfrec")
class VSKNN(Counted):
    """Neighbours among the sequences, found anew for each history.

    Held are the set of items of each sequence, and for each item the newest
    sequences that have it; never items x sequences.

    Args:
        num_items: Number of items in the vocabulary.
        config: Settings.
        num_users: Not used.
    """

    config_class = VSKNNConfig
    config: VSKNNConfig

    def __init__(
        self,
        num_items: int,
        config: VSKNNConfig | None = None,
        num_users: int = 0,
    ):
        super().__init__(num_items, config, num_users)
        # The newest sequences, from 0, that have item i stand from
        # having_splits[i] to having_splits[i + 1], newest first; the items of
        # sequence s from item_splits[s] to item_splits[s + 1].
        self.having_splits = self._counts(num_items + 2, "having_splits")
        self.having = self._table(tf.int64, "having")
        self.item_splits = self._table(tf.int64, "item_splits")
        self.items = self._table(tf.int32, "items")
        self.built = True

    @property
    def tables(self) -> dict[str, tf.Variable]:
        """See base class."""
        return {
            "having": self.having,
            "item_splits": self.item_splits,
            "items": self.items,
        }

    def adapt(self, batches: tf.data.Dataset) -> None:
        """Keeps all sequences, in the order that the module tells.

        Args:
            batches: One epoch of training batches.
        """
        sets, sizes, users, scrambled = [], [], [], []
        for batch in self.read(batches):
            once = distinct_array(batch.items)
            sets.append(once[once > 0])
            sizes.append((once > 0).sum(1))
            users.append(batch.user)
            scrambled.append(scramble(batch.items))
        sets, sizes, users, scrambled = map(
            np.concatenate, (sets, sizes, users, scrambled)
        )
        newest_first = np.lexsort((scrambled, -users))
        number = np.argsort(newest_first)
        owner = np.repeat(number, sizes)
        by_sequence = np.argsort(owner, kind="stable")
        self.items.assign(sets[by_sequence])
        self.item_splits.assign(
            np.concatenate([[0], np.cumsum(sizes[newest_first])])
        )
        by_item = np.lexsort((owner, sets))
        item, owner = sets[by_item], owner[by_item]
        place = np.arange(len(item)) - np.searchsorted(item, item)
        kept = place < self.config.sampled_sequences
        self.having.assign(owner[kept])
        counts = np.bincount(item[kept], minlength=self.num_items + 1)
        self.having_splits.assign(np.concatenate([[0], np.cumsum(counts)]))

    def score(self, query: Query) -> tf.Tensor:
        """See `shares`: of what the neighbours have."""
        c = self.config
        history = newest(query.history, min(c.max_length, c.last_items))
        near = self.neighbours(history)
        decay = tf.cast(near.distance, tf.float64) ** -_POWERS[c.match_decay]
        places = tf.ragged.range(
            tf.gather(self.item_splits, near.sequence),
            tf.gather(self.item_splits, near.sequence + 1),
        )
        which, items = (
            places.value_rowids(),
            tf.gather(self.items, places.values),
        )
        strength = tf.gather(near.similarity * decay, which)
        if c.idf_weight:
            sequences = tf.cast(tf.size(self.item_splits) - 1, tf.float64)
            idf = tf.math.log(sequences / self.popularities())
            idf = 1.0 + c.idf_weight * tf.maximum(idf, 0.0)
            strength *= tf.gather(idf, items - 1)
        rows = tf.shape(history)[0]
        return self.shares(rows, tf.gather(near.row, which), items, strength)

    def neighbours(self, history: tf.Tensor) -> Candidates:
        """Returns the most similar of the candidates.

        Args:
            history: int32 `[batch, length]`, 0 at the end.
        """
        found = self._candidates(history)
        rows = tf.shape(history, tf.int64)[0]
        places = tf.RaggedTensor.from_value_rowids(
            tf.range(tf.size(found.row)), found.row, rows
        ).to_tensor(-1)
        similarity = tf.where(
            places < 0,
            tf.zeros([], tf.float64),
            tf.gather(found.similarity, tf.maximum(places, 0)),
        )
        # Of equals the first: the newer.
        _, best = tf.math.top_k(
            similarity,
            tf.minimum(self.config.neighbour_sequences, tf.shape(places)[1]),
        )
        places = tf.gather(places, best, batch_dims=1)
        places = tf.boolean_mask(places, places >= 0)
        return Candidates(*(tf.gather(values, places) for values in found))

    def _candidates(self, history: tf.Tensor) -> Candidates:
        """Returns the newest sequences that share an item."""
        rows, length = tf.unstack(tf.shape(history, tf.int64))
        lengths = tf.math.count_nonzero(history, 1)
        # Each item with its last place: of equals the largest number.
        length = tf.maximum(length, 1)
        keys = tf.cast(history, tf.int64) * length + tf.range(length)
        keys = tf.sort(keys, direction="DESCENDING")
        items, places = keys // length, keys % length
        again = tf.pad(items[:, 1:] == items[:, :-1], [[0, 0], [1, 0]])
        shared = tf.where((items > 0) & ~again)
        row, item = shared[:, 0], tf.gather_nd(items, shared)
        place, size = tf.gather_nd(places, shared), tf.gather(lengths, row)
        weight = tf.cast((place + 1) / size, tf.float64)
        weight **= _POWERS[self.config.similarity_decay]

        having = tf.ragged.range(
            tf.gather(self.having_splits, item),
            tf.gather(self.having_splits, item + 1),
        )
        which = having.value_rowids()
        sequence = tf.gather(self.having, having.values)
        count = tf.maximum(tf.size(self.item_splits, tf.int64) - 1, 1)
        # Each pair of a history and a sequence once, in order.
        pairs, pair = tf.unique(tf.gather(row, which) * count + sequence)
        similarity = tf.math.unsorted_segment_sum(
            tf.gather(weight, which), pair, tf.size(pairs)
        )
        distance = tf.math.unsorted_segment_min(
            tf.gather(size - place, which), pair, tf.size(pairs)
        )
        order = tf.argsort(pairs)
        pairs = tf.gather(pairs, order)
        row = pairs // count
        start = tf.searchsorted(row, tf.range(rows), out_type=tf.int64)
        before = tf.range(tf.size(row, tf.int64)) - tf.gather(start, row)
        kept = before < self.config.sampled_sequences
        order = tf.boolean_mask(order, kept)
        return Candidates(
            tf.boolean_mask(row, kept),
            tf.boolean_mask(pairs % count, kept),
            tf.gather(similarity, order),
            tf.gather(distance, order),
        )
