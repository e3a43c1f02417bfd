"""What the count models share: a sparse table of which item goes with which."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfrec.batches import Query, TrainingBatch
from tfrec.models.base.counted import Counted
from tfrec.models.base.items import newest
from tfrec.models.configs.cooccurrence import CooccurrenceConfig

# Pairs that wait before they are merged with the others; 64 MB of them.
_AT_ONCE = 2**22


class Pairs(NamedTuple):
    """Pairs of items and how strongly the second follows from the first.

    Attributes:
        first: int64 `[n]`, items.
        second: int64 `[n]`, items.
        strength: float64 `[n]`.
    """

    first: np.ndarray
    second: np.ndarray
    strength: np.ndarray


class PairCounts:
    """Adds up the weights of pairs of items.

    Holds 16 bytes for each different pair, and while it merges new ones a few
    times that; never items x items.

    Args:
        num_items: Number of items in the vocabulary.
    """

    def __init__(self, num_items: int):
        self._base = num_items + 1
        self._keys = np.zeros(0, np.int64)
        self._sums = np.zeros(0)
        self._added: list[tuple[np.ndarray, np.ndarray]] = []
        self._waiting = 0

    def add(
        self,
        first: np.ndarray,
        second: np.ndarray,
        weight: float | np.ndarray = 1.0,
    ) -> None:
        """Adds `weight` to the pair of each of `first` with its `second`."""
        keys = first.astype(np.int64) * self._base + second
        self._added.append((keys, np.full(len(keys), weight)))
        self._waiting += len(keys)
        # Each merge sorts everything: only when that has doubled.
        if self._waiting > max(_AT_ONCE, len(self._keys)):
            self._merge()

    def total(self) -> Pairs:
        """Returns every pair once, in the order of first, then second."""
        self._merge()
        return Pairs(*np.divmod(self._keys, self._base), self._sums)

    def _merge(self) -> None:
        keys, sums = (
            np.concatenate(parts)
            for parts in zip(
                (self._keys, self._sums), *self._added, strict=True
            )
        )
        self._added, self._waiting = [], 0
        # A stable sort makes use of what is sorted already.
        order = np.argsort(keys, kind="stable")
        keys, sums = keys[order], sums[order]
        starts = np.flatnonzero(np.diff(keys, prepend=-1))
        self._keys = keys[starts]
        self._sums = np.add.reduceat(sums, starts) if len(starts) else sums


def following(
    items: np.ndarray, distance: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns each item of each row, and the one `distance` after it.

    Args:
        items: int `[batch, length]`, 0 at the end.
        distance: 0 pairs each item with itself.

    Returns:
        Both int `[n]`.
    """
    later = items[:, distance:]
    earlier = items[:, : later.shape[1]]
    return earlier[later > 0], later[later > 0]


class CooccurrenceModel(Counted):
    """Scores items by how strongly they follow from the last one, or several.

    A subclass says which pairs count, in `pairs`, and may turn the counts into
    other strengths, in `strengthen`.

    Args:
        num_items: Number of items in the vocabulary.
        config: Settings.
    """

    def __init__(
        self,
        num_items: int,
        config: CooccurrenceConfig | None = None,
        num_users: int = 0,
    ):
        super().__init__(num_items, config, num_users)
        # What follows item i stands from row_splits[i] to row_splits[i + 1];
        # nothing follows item 0, which is before the start of a history. The
        # item d steps before the end has a table of its own, the d-th: there,
        # it is item i + (d - 1) * (num_items + 1).
        rows = self.voters * (num_items + 1)
        self.row_splits = self._counts(rows + 1, "row_splits")
        self.followers = self._table(tf.int32, "followers")
        self.strengths = self._table(tf.float32, "strengths")
        self.built = True

    @property
    def voters(self) -> int:
        """Number of last items whose followers are scored."""
        return 1

    @property
    def tables(self) -> dict[str, tf.Variable]:
        """See base class."""
        return {"followers": self.followers, "strengths": self.strengths}

    def pairs(
        self, items: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray, float | np.ndarray]]:
        """Yields the pairs of items to count.

        Args:
            items: int32 `[batch, length]`, 0 at the end.

        Yields:
            Items (as in `row_splits`), those that go with them, both `[n]`,
            and the weight of these pairs, or of each.
        """
        raise NotImplementedError

    def strengthen(self, pairs: Pairs) -> Pairs:
        """Returns the strengths, above 0, from the weights added up."""
        return pairs

    def adapt(self, batches: tf.data.Dataset) -> None:
        """Counts everything; what was counted before is forgotten.

        Args:
            batches: One epoch of training batches.
        """
        counts = PairCounts(self.num_items)
        for batch in self.read(batches):
            for first, second, weight in self.pairs(batch.items):
                counts.add(first, second, weight)
        first, second, strength = self.strengthen(counts.total())
        order = np.argsort(first, kind="stable")
        sizes = np.bincount(first, minlength=self.row_splits.shape[0] - 1)
        self.row_splits.assign(np.concatenate([[0], np.cumsum(sizes)]))
        self.followers.assign(second[order].astype(np.int32))
        # Sums of 1/2, 1/3, ... that are equal are so again in float32.
        self.strengths.assign(strength[order].astype(np.float32))

    def train_step(self, batch: TrainingBatch) -> dict[str, tf.Tensor]:
        """Learns nothing: `adapt` has counted.

        Returns:
            `pairs`, the number of different ones.
        """
        self.count_tokens(batch)
        return {"pairs": tf.size(self.followers)}

    def score(self, query: Query) -> tf.Tensor:
        """See `shares`: of how strongly items follow."""
        row, voters, weights = self.vote(query.history)
        places = tf.ragged.range(
            tf.gather(self.row_splits, voters),
            tf.gather(self.row_splits, voters + 1),
        )
        voter, places = places.value_rowids(), places.values
        return self.shares(
            tf.shape(query.history)[0],
            tf.gather(row, voter),
            tf.gather(self.followers, places),
            tf.gather(self.strengths, places) * tf.gather(weights, voter),
        )

    def vote(
        self, history: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns whose followers are scored: by default the last items'.

        Args:
            history: int32 `[batch, length]`, 0 at the end.

        Returns:
            `[n]` each: the row of the batch, an item as in `row_splits`, 0 for
            none, and its weight, float32.
        """
        width = self.voters
        # With as many items before the start as may vote.
        history = tf.pad(newest(history, width), [[0, 0], [width, 0]])
        ends = width + tf.math.count_nonzero(
            history[:, width:], 1, keepdims=True, dtype=tf.int32
        )
        distances = tf.range(width)
        last = tf.gather(history, ends - 1 - distances, batch_dims=1)
        tables = distances * (self.num_items + 1)
        items = tf.reshape(tf.where(last > 0, last + tables, 0), [-1])
        return (
            tf.range(tf.size(items)) // width,
            items,
            tf.ones_like(items, tf.float32),
        )
