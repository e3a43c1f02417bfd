"""Whether two samples are of one distribution, and how far apart they are.

The population stability index (PSI) of shares p now and q before, in bins, is
sum((p - q) ln(p / q)). As a rule of thumb, below 0.1 nothing changed, and above
0.25 much. It says nothing of chance: without any change it is about
(bins - 1) (1 / n + 1 / m) for samples of n and m (Yurdakul, 2018), which is
0.45 for ten bins and 20 values against many.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

_LEVEL = 0.95
# Of the normal distribution, both sides.
_Z = float(stats.norm.ppf((1 + _LEVEL) / 2))


def bin_edges(
    values: np.ndarray, counts: np.ndarray, bins: int = 10
) -> np.ndarray:
    """Returns edges between bins that hold about as much each.

    An edge lies midway between two values, so that a rounding error moves
    none to another bin. Fewer bins where fewer values differ; a single value
    has a bin of its own, between one below and one above.

    Args:
        values: `[n]`, those of a reference, each once and rising; at least one.
        counts: `[n]`, how often each is there.
        bins: Number of bins.

    Returns:
        float64 `[bins - 1]` or fewer, rising. The outer bins have no end.
    """
    if len(values) == 1:
        half = max(abs(float(values[0])), 1.0) * 1e-3
        return np.array([values[0] - half, values[0] + half])
    below = np.cumsum(counts)[:-1] / np.sum(counts)
    middles = (values[1:] + values[:-1]) / 2
    wanted = np.arange(1, bins) / bins
    places = [int(np.abs(below - share).argmin()) for share in wanted]
    return middles[sorted(set(places))]


def binned(
    values: np.ndarray, counts: np.ndarray, edges: np.ndarray
) -> np.ndarray:
    """Sums the counts of values in bins, float64 `[len(edges) + 1]`."""
    places = np.searchsorted(edges, values)
    return np.bincount(places, counts, len(edges) + 1)


def quantiles(
    values: np.ndarray, counts: np.ndarray, shares: Sequence[float]
) -> list[float]:
    """Returns the least values that so large shares do not exceed.

    Args:
        values: `[n]`, rising.
        counts: `[n]`, how often each is there.
        shares: From 0 to 1.
    """
    below = np.cumsum(counts)
    places = np.searchsorted(below, np.asarray(shares) * below[-1])
    return values[np.minimum(places, len(values) - 1)].tolist()


def psi(before: Sequence[float], now: Sequence[float]) -> float:
    """Returns the population stability index of two histograms.

    Args:
        before: Counts of the bins.
        now: The same later. A bin that has none counts as half a value, or
            the index would be infinite.
    """
    shares = []
    for counts in (before, now):
        counts = np.asarray(counts, np.float64)
        shares.append(np.maximum(counts, 0.5) / counts.sum())
    q, p = shares
    return float(np.sum((p - q) * np.log(p / q)))


def psi_by_chance(bins: int, before: float, now: float) -> float:
    """Returns what the index stays below, without any change, in 95%.

    Args:
        bins: Number of bins.
        before: Number of values, which are independent; may be infinite.
        now: The same later.
    """
    if bins < 2:
        return 0.0
    return float(stats.chi2.ppf(_LEVEL, bins - 1) * (1 / before + 1 / now))


def ks(before: np.ndarray, now: np.ndarray) -> float:
    """Returns the Kolmogorov-Smirnov distance: of two distribution functions.

    Args:
        before: float `[n]`.
        now: float `[m]`.
    """
    both = np.concatenate([before, now])
    functions = [
        np.searchsorted(np.sort(sample), both, side="right") / len(sample)
        for sample in (before, now)
    ]
    return float(np.abs(functions[0] - functions[1]).max())


def ks_by_chance(before: int, now: int) -> float:
    """Returns what that distance stays below, without any change, in 95%."""
    return float(stats.kstwobign.ppf(_LEVEL) * math.sqrt(1 / before + 1 / now))


def gini(counts: np.ndarray) -> float:
    """Returns how unequal counts are: 0 all the same, 1 one has all.

    Args:
        counts: `[n]`, not all 0.
    """
    rising = np.sort(np.asarray(counts, np.float64))
    n = len(rising)
    places = 2 * np.arange(1, n + 1) - n - 1
    return float(places @ rising / (n * rising.sum()))


@dataclasses.dataclass
class Share:
    """A share of things that come in rows, and how sure it is.

    Things of one row are not independent: the row is what is drawn.

    Attributes:
        rows: Number of rows.
        hits: Number of things that count.
        all: Number of things.
    """

    rows: int = 0
    hits: float = 0.0
    all: float = 0.0
    # Sums of squares and of the product.
    _squares: np.ndarray = dataclasses.field(
        default_factory=lambda: np.zeros(3)
    )

    def add(self, hits: np.ndarray, all: np.ndarray) -> None:
        """Adds rows.

        Args:
            hits: `[rows]`, how many count in each.
            all: `[rows]`, of how many.
        """
        hits, all = hits.astype(np.float64), all.astype(np.float64)
        self.rows += len(hits)
        self.hits += float(hits.sum())
        self.all += float(all.sum())
        self._squares += (hits @ hits, hits @ all, all @ all)

    @property
    def value(self) -> float:
        """The share; 0 of nothing."""
        return self.hits / self.all if self.all else 0.0

    def interval(self) -> tuple[float, float]:
        """Returns the 95% interval.

        Wilson's, with as many independent things as have the variance of this
        share, which follows from that between the rows (delta method).
        """
        if not self.all:
            return 0.0, 1.0
        p, size = self.value, min(self.all, self.rows)
        hh, ha, aa = self._squares
        spread = hh - 2 * p * ha + p * p * aa
        # Not what rounding leaves where all rows have the same share.
        if spread > 1e-9 * hh:
            size = min(self.all, p * (1 - p) * self.all**2 / spread)
        centre = (p + _Z**2 / (2 * size)) / (1 + _Z**2 / size)
        half = math.sqrt(p * (1 - p) / size + (_Z / (2 * size)) ** 2)
        half *= _Z / (1 + _Z**2 / size)
        return max(0.0, centre - half), min(1.0, centre + half)
