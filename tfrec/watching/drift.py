"""How requests differ from what a model was trained and tested on."""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np

from tfrec.metrics.popularity import group_names, popularity_of
from tfrec.metrics.shifts import (
    Share,
    bin_edges,
    binned,
    gini,
    ks,
    ks_by_chance,
    psi,
    psi_by_chance,
    quantiles,
)
from tfrec.watching.served import Answer

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
# The rule of thumb of the index.
SOME, LARGE = 0.1, 0.25


@dataclasses.dataclass(frozen=True)
class Shift:
    """How far a distribution moved.

    Attributes:
        name: Of what.
        bins: Names of the bins.
        before: Number of values in each, in the test.
        now: The same of the requests.
        psi: The population stability index.
        by_chance: What it stays below in 95%, without any change.
        ks: The Kolmogorov-Smirnov distance, and what it stays below by chance;
            None for what is not a number.
        quantiles: Those at `QUANTILES`, before and now; None as well.
        enough: Whether there are enough requests for a verdict.
    """

    name: str
    bins: list[str]
    before: list[int]
    now: list[int]
    psi: float
    by_chance: float
    ks: tuple[float, float] | None
    quantiles: tuple[list[float], list[float]] | None
    enough: bool

    @property
    def verdict(self) -> str:
        """What is said of it: "too few", "no", "some" or "large"."""
        if not self.enough:
            return "too few"
        if self.psi <= max(SOME, self.by_chance):
            return "no"
        return "some" if self.psi <= LARGE else "large"

    def exceeds(self, bound: float) -> bool:
        """Returns whether it is larger than a bound, and than chance."""
        return self.enough and self.psi > max(bound, self.by_chance)


def of_numbers(
    name: str,
    before: Mapping[float, int],
    now: Mapping[float, int],
    least: int,
    whole: bool = False,
) -> Shift:
    """Compares two samples of a number.

    Args:
        name: What it is.
        before: How often each value was there in the test.
        now: The same in the requests.
        least: Fewest values for a verdict.
        whole: Whether they are whole numbers, of which no Kolmogorov-Smirnov
            distance is taken: what it is by chance holds for others.
    """
    values, counts = zip(*map(_sorted, (before, now)), strict=True)
    sizes = [int(each.sum()) for each in counts]
    edges = bin_edges(values[0], counts[0])
    held = [
        binned(*each, edges).astype(int).tolist()
        for each in zip(values, counts, strict=True)
    ]
    found = None
    if not whole:
        found = ks(*map(np.repeat, values, counts)), ks_by_chance(*sizes)
    return Shift(
        name,
        _labels(edges, whole),
        *held,
        psi(*held),
        psi_by_chance(len(edges) + 1, *sizes),
        found,
        tuple(
            quantiles(*each, QUANTILES)
            for each in zip(values, counts, strict=True)
        ),
        sizes[1] >= least,
    )


def _sorted(counted: Mapping[float, int]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the values, rising, and how often each was there."""
    values, counts = zip(*sorted(counted.items()), strict=True)
    return np.array(values), np.array(counts)


def _labels(edges: np.ndarray, whole: bool) -> list[str]:
    """Names bins by their ends."""
    ends = edges.tolist()
    if whole:
        # Whole numbers between two halves.
        pairs = itertools.pairwise(ends)
        inner = [(math.ceil(low), math.floor(high)) for low, high in pairs]
        middle = [f"{a}" if a == b else f"{a} to {b}" for a, b in inner]
        first, last = math.floor(ends[0]), math.ceil(ends[-1])
        return [f"{first} or less", *middle, f"{last} or more"]
    # As short as tells them apart.
    for digits in range(2, 9):
        texts = [f"{end:.{digits}f}" for end in ends]
        if len(set(texts)) == len(texts):
            break
    pairs = itertools.pairwise(texts)
    middle = [f"{low} to {high}" for low, high in pairs]
    return [f"below {texts[0]}", *middle, f"above {texts[-1]}"]


def of_groups(
    name: str,
    groups: Mapping[int, str],
    group_of: np.ndarray,
    before: tuple[np.ndarray, int],
    now: tuple[np.ndarray, int],
    least: int,
) -> Shift:
    """Compares how often items of some groups were there.

    Args:
        name: What it is.
        groups: The groups, with names.
        group_of: The group of each item.
        before: How often each item was there in the test, and in how many
            rows, which are what is independent.
        now: The same in the requests.
        least: Fewest rows for a verdict.
    """
    counts = [
        [int(held[group_of == group].sum()) for group in groups]
        for held, _ in (before, now)
    ]
    return Shift(
        name,
        list(groups.values()),
        *counts,
        psi(*counts),
        psi_by_chance(len(groups), before[1], now[1]),
        None,
        None,
        now[1] >= least,
    )


@dataclasses.dataclass(frozen=True)
class Shown:
    """What lists hold.

    Attributes:
        coverage: The share of the items that are in one.
        gini: How unequally often: 0 all the same, 1 one item only.
        popularity: Mean interactions of an item shown.
    """

    coverage: float
    gini: float
    popularity: float

    @classmethod
    def of(cls, shown: np.ndarray, counts: np.ndarray) -> "Shown":
        """Measures lists.

        Args:
            shown: `[num_items]`, in how many lists each item is.
            counts: The interactions of each item.
        """
        return cls(
            float(np.mean(shown > 0)),
            gini(shown),
            float(shown @ counts / shown.sum()),
        )


def count_shown(
    answers: Sequence[Answer], num_items: int, length: int
) -> np.ndarray:
    """Counts in how many lists each item is, int64 `[num_items]`.

    Args:
        answers: The lists.
        num_items: Number of items.
        length: How many items of each list are looked at.
    """
    counts = np.zeros(num_items + 1, np.int64)
    for answer in answers:
        counts[answer.items[:length]] += 1
    return counts[1:]


class Popularity:
    """The items in groups, by how often training has them.

    Args:
        counts: float64 `[num_items]`, the interactions of each item.

    Attributes:
        counts: As given.
        group_of: The group of each item.
        names: Of the groups.
    """

    def __init__(self, counts: np.ndarray):
        self.counts = counts
        self.group_of = popularity_of(counts)
        self.names = group_names(counts, self.group_of)


@dataclasses.dataclass(frozen=True)
class Counted:
    """A share of the requests, and what is much.

    Attributes:
        name: Of what.
        share: The share.
        much: Above this, with all of its interval, it is said.
        enough: Whether there are enough requests for a verdict.
    """

    name: str
    share: Share
    much: float
    enough: bool

    @property
    def verdict(self) -> str:
        """What is said of it: "too few", "ok" or "much"."""
        if not self.enough:
            return "too few"
        return "much" if self.exceeds(self.much) else "ok"

    def exceeds(self, bound: float) -> bool:
        """Returns whether it is above a bound, with all of its interval."""
        return self.enough and self.share.interval()[0] > bound
