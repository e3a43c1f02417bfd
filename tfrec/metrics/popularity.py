"""Groups of items by their popularity, with as many interactions each."""

import numpy as np

_GROUPS = 5


def popularity_of(counts: np.ndarray) -> np.ndarray:
    """Returns the group of each item, int64 `[num_items]`, 0 most popular.

    Each group has about the same share of all interactions.

    Args:
        counts: float64 `[num_items]`, the interactions of each item.
    """
    order = np.argsort(-counts, kind="stable")
    before = np.cumsum(counts[order]) - counts[order]
    share = before / max(counts.sum(), 1.0)
    found = (share * _GROUPS + 1e-9).astype(np.int64)
    groups = np.empty(len(order), np.int64)
    groups[order] = np.minimum(found, _GROUPS - 1)
    return groups


def group_names(counts: np.ndarray, groups: np.ndarray) -> dict[int, str]:
    """Returns the groups that have items, with names.

    Args:
        counts: The interactions of each item.
        groups: What `popularity_of` returned of them.
    """
    names = {}
    for group in np.unique(groups):
        held = counts[groups == group]
        low, high = held.min(), held.max()
        times = f"{low:,.0f}" + (f" to {high:,.0f}" if high > low else "")
        items = f"{len(held):,} item{'s' * (len(held) > 1)}"
        name = f"{items}, {times} times"
        # Of many items that are as popular, groups look the same.
        alike = sum(other.startswith(name) for other in names.values())
        names[int(group)] = f"{name} ({alike + 1})" if alike else name
    return names
