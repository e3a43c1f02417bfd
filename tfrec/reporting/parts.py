"""What the parts of a report share: headings, and the test by example."""

import dataclasses
import functools

import numpy as np

from tfrec.charts import Series
from tfrec.explorer.catalogue import counted
from tfrec.metrics.ranks import Ranks, padded
from tfrec.metrics.statistics import Totals, interval
from tfrec.svg import escape
from tfrec.training.run import Run

# Groups of items, each with as many interactions as any other.
_POPULARITY_GROUPS = 5


def heading(text: str) -> str:
    """Returns the heading of a part."""
    return f"<h2>{escape(text)}</h2>"


def note(text: str) -> str:
    """Returns a paragraph."""
    return f"<p>{escape(text)}</p>"


@dataclasses.dataclass(frozen=True)
class Examples:
    """The test of a run, example by example.

    Attributes:
        run: The run.
        ranks: Where it ranked the targets.
        lengths: int64 `[examples]`, the length of each history.
        targets: int32 `[examples, n]`, as laid out in `ranks.targets`.
        counts: float64 `[num_items]`, the interactions of each item in the
            training and the validation.
    """

    run: Run
    ranks: Ranks
    lengths: np.ndarray
    targets: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, run: Run, ranks: Ranks) -> "Examples":
        """Reads the test split again, in the order of the ranks.

        Args:
            run: The run.
            ranks: Of its test.
        """
        lengths, targets, records = [], [], []
        for batch in run.data.evaluation("test"):
            lengths.append((batch.history.numpy() > 0).sum(1))
            targets.append(batch.targets.numpy())
            records.append(batch.record.numpy())
        order = np.argsort(np.concatenate(records), kind="stable")
        targets = padded(targets)[order]
        # Ranks are kept without columns of padding alone.
        width = ranks.targets.shape[1]
        return cls(
            run,
            ranks,
            np.concatenate(lengths)[order],
            targets[:, :width],
            counted(run.data),
        )

    @functools.cached_property
    def popularity(self) -> np.ndarray:
        """The group of each item, int64 `[num_items]`, 0 the most popular.

        Each group has about the same share of all interactions.
        """
        order = np.argsort(-self.counts, kind="stable")
        before = np.cumsum(self.counts[order]) - self.counts[order]
        share = before / max(self.counts.sum(), 1.0)
        found = (share * _POPULARITY_GROUPS + 1e-9).astype(np.int64)
        groups = np.empty(len(order), np.int64)
        groups[order] = np.minimum(found, _POPULARITY_GROUPS - 1)
        return groups

    def popularity_groups(self) -> dict[int, str]:
        """Returns the groups of `popularity` that have items, with names."""
        names = {}
        for group in np.unique(self.popularity):
            held = self.counts[self.popularity == group]
            low, high = held.min(), held.max()
            times = f"{low:,.0f}" + (f" to {high:,.0f}" if high > low else "")
            items = f"{len(held):,} item{'s' * (len(held) > 1)}"
            names[int(group)] = f"{items}, {times} times"
        return names


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
