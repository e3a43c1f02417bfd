"""What the parts of a report share: the test by example, and its groups."""

import dataclasses
import functools
from pathlib import Path

import numpy as np

from tfrec.charts import Series
from tfrec.data import PreparedDataset
from tfrec.data.gaps import read_gaps
from tfrec.errors import InputError
from tfrec.metrics.popularity import group_names, popularity_of
from tfrec.metrics.ranks import Ranks, padded
from tfrec.metrics.statistics import Totals, interval
from tfrec.models.base.items import count_interactions


@dataclasses.dataclass(frozen=True)
class Examples:
    """A test, example by example, in the order of the `Ranks` of a run.

    Attributes:
        data: The dataset.
        records: int32 `[examples]`, the record of each.
        lengths: int64 `[examples]`, the length of each history.
        targets: int32 `[examples, n]`, as laid out in `Ranks.targets`.
        counts: float64 `[num_items]`, the interactions of each item in the
            training and the validation.
        gaps: float32 `[examples]`, the seconds between the last event of each
            history and the next one; None if the dataset has no times.
    """

    data: PreparedDataset
    records: np.ndarray
    lengths: np.ndarray
    targets: np.ndarray
    counts: np.ndarray
    gaps: np.ndarray | None

    @classmethod
    def of(cls, data: PreparedDataset) -> "Examples":
        """Reads the test of a dataset."""
        lengths, targets, records = [], [], []
        for batch in data.evaluation("test"):
            lengths.append((batch.history.numpy() > 0).sum(1))
            targets.append(batch.targets.numpy())
            records.append(batch.record.numpy())
        records = np.concatenate(records)
        order = np.argsort(records, kind="stable")
        targets = padded(targets)[order]
        # Ranks are kept without columns of padding alone.
        width = int((targets > 0).sum(1).max(initial=0))
        return cls(
            data,
            records[order],
            np.concatenate(lengths)[order],
            targets[:, :width],
            count_interactions(data),
            read_gaps(data, "test"),
        )

    def check(self, ranks: Ranks, path: Path) -> None:
        """Raises `InputError` if ranks are not of this test.

        Args:
            ranks: Of a run.
            path: Their file.
        """
        if len(self.records) != len(ranks.records):
            raise InputError(
                f"{path} has {len(ranks.records):,} examples, and the test of "
                f"{self.data.data_dir} has {len(self.records):,}. Delete the "
                "file: `tfrec report` then ranks the run again."
            )

    @functools.cached_property
    def popularity(self) -> np.ndarray:
        """The group of each item; see `popularity_of`."""
        return popularity_of(self.counts)

    def popularity_groups(self) -> dict[int, str]:
        """Returns the groups of `popularity` that have items, with names."""
        return group_names(self.counts, self.popularity)


def means(
    name: str,
    values: np.ndarray,
    owners: np.ndarray,
    groups: dict[str, np.ndarray],
) -> Series:
    """Returns the mean of values in groups, with intervals over users.

    Args:
        name: Of the series.
        values: float64 `[n]`; NaN for one that does not count.
        owners: int `[n]`, whose each is, from 0.
        groups: Masks `[n]` by name; those without a value are left out.
    """
    found: dict[str, Totals] = {}
    for group, mask in groups.items():
        kept = mask & ~np.isnan(values)
        if kept.any():
            found[group] = Totals.of(values[kept], owners[kept])
    return Series(
        name,
        list(found),
        [totals.mean for totals in found.values()],
        [interval(totals) for totals in found.values()],
    )
