"""Counts what followed what: alone, or as the memory of a network."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from tfrec.batches import TrainingBatch
from tfrec.layers.transition_memory import TransitionMemory
from tfrec.layers.transition_table import TransitionCounts
from tfrec.models.base.counting import PairCounts, following
from tfrec.models.configs.memory import MemoryConfig


class Counting(NamedTuple):
    """Which pairs count, and how a count becomes a strength.

        n(i, j) = c_ij / (sum_k c_ik)^row_power / (sum_k c_kj)^item_power

    with c_ij the weighted number of times that j came after i.

    Attributes:
        window: Items after an item that follow it.
        pair_decay: Weight of one of them, for 1 of the one before it.
        row_power: See above.
        item_power: See above.
    """

    window: int
    pair_decay: float
    row_power: float
    item_power: float

    @property
    def weights(self) -> list[float]:
        """The weight of a pair by distance, the nearest first."""
        return [self.pair_decay**distance for distance in range(self.window)]

    def count(
        self, batches: Iterable[TrainingBatch], num_items: int
    ) -> TransitionCounts:
        """Counts the pairs of each item and those that follow it.

        Args:
            batches: Of arrays. A pair weighs what its sequence does by its age.
            num_items: Number of items.
        """
        counts = PairCounts(num_items)
        for batch in batches:
            for distance, weight in enumerate(self.weights, 1):
                later = batch.items[:, distance:] > 0
                each = np.broadcast_to(batch.recency[:, None], later.shape)
                pairs = following(batch.items, distance)
                counts.add(*pairs, weight * each[later].astype(np.float64))
        first, second, strength = counts.total()
        size = num_items + 1

        def scale(items: np.ndarray, power: float) -> np.ndarray:
            sums = np.bincount(items, strength, minlength=size)
            return np.where(sums > 0, np.maximum(sums, 1e-30) ** -power, 0.0)

        first_scale = scale(first, self.row_power)
        second_scale = scale(second, self.item_power)
        strength = strength * first_scale[first] * second_scale[second]
        # For 1 of the mean pair, so that a floor is good for any log.
        unit = strength.mean() if len(strength) else 1.0
        sizes = np.bincount(first, minlength=size)
        return TransitionCounts(
            np.concatenate([[0], np.cumsum(sizes)]),
            second.astype(np.int32),
            (strength / unit).astype(np.float32),
            (first_scale / unit).astype(np.float32),
            second_scale.astype(np.float32),
        )


def memory_counting(config: MemoryConfig) -> Counting:
    """Returns what the memory of a network counts."""
    c = config
    return Counting(
        c.memory_window,
        c.memory_pair_decay,
        c.memory_row_power,
        c.memory_item_power,
    )


def make_memory(
    config: MemoryConfig, num_items: int
) -> TransitionMemory | None:
    """Returns the memory that the settings ask for, if any."""
    c = config
    if c.memory == "none":
        return None
    return TransitionMemory(
        num_items,
        c.memory_decay,
        c.memory_floor,
        memory_counting(c).weights,
        c.memory_scale,
        learned=c.memory != "fixed",
        by_state=c.memory == "gated",
        name="memory",
    )
