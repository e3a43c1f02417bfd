"""The ranks of a test, kept with its run: what comparisons are made from."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import tensorflow as tf

from tfrec.arrays import load_arrays
from tfrec.metrics.ranking import NEVER, RankingMetric, ranking_metrics

# How many items of each list are counted in `Ranks.shown`.
SHOWN = 10


@dataclasses.dataclass(frozen=True)
class Ranks:
    """Where a model ranked the targets of a split, and what it put first.

    Attributes:
        targets: int32 `[examples, n]`, the rank of each target, `NEVER` for
            one that is not ranked; 0 is padding, at the end.
        records: int32 `[examples]`, from 0 and rising: the record of the split
            that the example is of, a user's or a session's.
        shown: int64 `[num_items]`, in how many lists item j + 1 is one of the
            first `SHOWN`.
    """

    targets: np.ndarray
    records: np.ndarray
    shown: np.ndarray

    def means(self, cutoffs: Sequence[int]) -> dict[str, float]:
        """Returns the mean of each metric over the examples, by its name."""
        found = {}
        for metric in ranking_metrics(cutoffs):
            metric.update_state(tf.constant(self.targets))
            found[metric.name] = float(metric.result())
        return found

    def values(self, metric: RankingMetric) -> np.ndarray:
        """Returns a metric of each example, float64; NaN without a target."""
        values = metric.values(tf.constant(self.targets)).numpy()
        counted = (self.targets > 0).any(1)
        return np.where(counted, values.astype(np.float64), np.nan)

    def save(self, file: BinaryIO) -> None:
        """Writes a compressed file, of a few bytes for each target."""
        targets = self.targets
        np.savez_compressed(
            file,
            ranks=np.where(targets == NEVER, 0, targets)[targets > 0],
            lengths=(targets > 0).sum(1).astype(np.int32),
            records=np.diff(self.records, prepend=0),
            shown=self.shown,
        )

    @classmethod
    def load(cls, path: Path) -> "Ranks":
        """Reads what `save` wrote.

        Raises:
            InputError: If the file is damaged.
        """
        ranks, lengths, records, shown = load_arrays(
            path, "ranks", "lengths", "records", "shown"
        )
        targets = np.zeros([len(lengths), max(lengths, default=0)], np.int32)
        filled = np.arange(targets.shape[1]) < lengths[:, None]
        targets[filled] = np.where(ranks == 0, NEVER, ranks)
        return cls(targets, np.cumsum(records, dtype=np.int32), shown)


def padded(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Joins int32 arrays `[batch, n]` of several n, with 0 at the end."""
    width = max((part.shape[1] for part in parts), default=0)
    return np.concatenate(
        [
            np.zeros([0, width], np.int32),
            *(np.pad(p, [(0, 0), (0, width - p.shape[1])]) for p in parts),
        ]
    )
