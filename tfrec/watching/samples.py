"""What is kept of a stream whose length nobody knows: samples, counts."""

import collections
from collections.abc import Iterable
from typing import Generic, TypeVar

import numpy as np

_T = TypeVar("_T")
# Names that are counted at once, before the rarest are forgotten.
_MOST_NAMES = 100_000


class Reservoir(Generic[_T]):
    """A uniform sample of what was added, of bounded size.

    Args:
        capacity: Its size.
        rng: Draws what is kept.

    Attributes:
        kept: The sample, in no order.
        added: Number of things that were added.
    """

    def __init__(self, capacity: int, rng: np.random.Generator):
        self._capacity, self._rng = capacity, rng
        self.kept: list[_T] = []
        self.added = 0

    def add(self, thing: _T) -> None:
        """Adds a thing, which may take the place of another (algorithm R)."""
        self.added += 1
        if len(self.kept) < self._capacity:
            self.kept.append(thing)
            return
        place = int(self._rng.integers(self.added))
        if place < self._capacity:
            self.kept[place] = thing


class Frequent:
    """Counts names, and forgets the rarest where there are too many.

    Attributes:
        complete: Whether none was forgotten.
    """

    def __init__(self):
        self._counts: collections.Counter[str] = collections.Counter()
        self.complete = True

    def add(self, names: Iterable[str]) -> None:
        """Counts names."""
        self._counts.update(names)
        if len(self._counts) > _MOST_NAMES:
            kept = self._counts.most_common(_MOST_NAMES // 2)
            self._counts = collections.Counter(dict(kept))
            self.complete = False

    def __len__(self) -> int:
        return len(self._counts)

    def most_common(self, count: int) -> list[tuple[str, int]]:
        """Returns the most frequent names; ties by name."""
        order = sorted(self._counts.items(), key=lambda each: (-each[1], each))
        return order[:count]
