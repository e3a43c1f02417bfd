"""How sure a mean over users is, and whether two models differ.

Examples of one user, or of one session, are not independent: what is drawn
again is the user, with all of its examples.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

# Samples of the bootstrap: its ends vary by 3% of its width.
_SAMPLES = 2000
# Numbers drawn at a time, 64 MB of them.
_AT_ONCE = 2**23


class Totals(NamedTuple):
    """A metric, summed over the examples of each user.

    Attributes:
        sums: float64 `[users]`.
        counts: float64 `[users]`, the number of examples.
    """

    sums: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, owners: np.ndarray) -> "Totals":
        """Sums the values of each user.

        Args:
            values: float64 `[examples]`; NaN for one that does not count.
            owners: int `[examples]`, from 0.
        """
        counted = ~np.isnan(values)
        owners, values = owners[counted], values[counted]
        counts = np.bincount(owners).astype(np.float64)
        sums = np.bincount(owners, values)
        return cls(sums[counts > 0], counts[counts > 0])

    @property
    def mean(self) -> float:
        """The mean over all examples."""
        return float(self.sums.sum() / self.counts.sum())


def interval(
    totals: Totals, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Returns a bootstrap interval of the mean: percentiles over users.

    Args:
        totals: Of the metric.
        level: The share of samples within.
        seed: Of the samples.
    """
    if len(totals.sums) < 2:
        return (totals.mean, totals.mean)
    found = stats.bootstrap(
        totals,
        lambda sums, counts, axis: sums.sum(axis) / counts.sum(axis),
        paired=True,
        vectorized=True,
        n_resamples=_SAMPLES,
        batch=max(1, _AT_ONCE // len(totals.sums)),
        confidence_level=level,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)


def difference(one: Totals, other: Totals) -> float:
    """Returns the p-value of a paired t-test: do two models differ?

    Args:
        one: A metric of one model.
        other: The same of another, of the same users.
    """
    differences = one.sums - other.sums
    if len(differences) < 2 or not differences.any():
        return 1.0
    if np.ptp(differences) == 0.0:
        return 0.0
    return float(stats.ttest_1samp(differences, 0.0).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Corrects p-values for their number (Holm, 1979).

    Args:
        p_values: Of several tests.

    Returns:
        In the same order, what may be compared with the level that all tests
        together are to keep.
    """
    order = np.argsort(p_values, kind="stable")
    factors = len(p_values) - np.arange(len(p_values))
    rising = np.maximum.accumulate(np.asarray(p_values)[order] * factors)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(rising, 1.0)
    return corrected.tolist()
