"""Counts what followed what, for the memory beside a network."""

from collections.abc import Iterable

import numpy as np

from tfrec.layers.transition_memory import TransitionMemory, Transitions
from tfrec.models.base.counting import PairCounts, following
from tfrec.models.configs.memory import MemoryConfig


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
        pair_weights(c),
        by_state=c.memory == "gated",
        name="memory",
    )


def pair_weights(config: MemoryConfig) -> list[float]:
    """Returns the weight of a pair by distance, the nearest first."""
    return [config.memory_pair_decay**d for d in range(config.memory_window)]


def count_transitions(
    batches: Iterable[np.ndarray], config: MemoryConfig, num_items: int
) -> Transitions:
    """Counts the pairs of each item and those that follow it.

    Args:
        batches: int32 `[batch, length]` each, 0 at the end.
        config: Which pairs count, and how a count becomes a strength.
        num_items: Number of items.
    """
    c = config
    counts = PairCounts(num_items)
    for items in batches:
        for distance, weight in enumerate(pair_weights(c), 1):
            counts.add(*following(items, distance), weight)
    first, second, strength = counts.total()
    size = num_items + 1

    def scale(items, power):
        sums = np.bincount(items, strength, minlength=size)
        return np.where(sums > 0, np.maximum(sums, 1e-30) ** -power, 0.0)

    first_scale = scale(first, c.memory_row_power)
    second_scale = scale(second, c.memory_item_power)
    strength = strength * first_scale[first] * second_scale[second]
    # In units of the mean pair, so that `memory_floor` depends on no log.
    unit = strength.mean() if len(strength) else 1.0
    sizes = np.bincount(first, minlength=size)
    return Transitions(
        np.concatenate([[0], np.cumsum(sizes)]),
        second.astype(np.int32),
        (strength / unit).astype(np.float32),
        (first_scale / unit).astype(np.float32),
        second_scale.astype(np.float32),
    )
