"""Dividing items into partitions whose scores are alike, by k-means."""

from typing import NamedTuple

import numpy as np

# Items from which the centres are found, for each centre, at most.
_SAMPLED = 40
_ITERATIONS = 8
# Products held at a time, 8 MB of them.
_AT_ONCE = 2**21
# Larger partitions than this many times the mean are divided: whoever probes
# one pays for all of it.
_LARGEST = 2.0
# Of the mean square of the states, added in every direction: a few histories
# do not show all directions that states can have.
_SHRINKAGE = 1e-2


class Partitions(NamedTuple):
    """Items, ordered by partition.

    Attributes:
        order: int32 `[num_items]`, columns of the items, those of a partition
            together and rising.
        offsets: int32 `[partitions + 1]`, where in `order` each one begins,
            and the end.
        centres: float32 `[partitions, dim]`, the mean of each one's vectors.
    """

    order: np.ndarray
    offsets: np.ndarray
    centres: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Number of items in each partition, at least 1."""
        return np.diff(self.offsets)

    @property
    def owners(self) -> np.ndarray:
        """Partition of each item, int64 `[num_items]`, by column."""
        owners = np.empty(len(self.order), np.int64)
        owners[self.order] = np.repeat(np.arange(len(self.sizes)), self.sizes)
        return owners


def partition(
    vectors: np.ndarray, states: np.ndarray, count: int, seed: int = 0
) -> Partitions:
    """Divides items so that those of a partition have scores that are alike.

    The score of an item is the product of a state h with its vector v. With
    the centre c of its partition in its place, the squared error is, over the
    states,

        E[(h'(v - c))^2] = (v - c)' E[h h'] (v - c)

    which k-means minimises on the vectors times the root of E[h h']. So it
    matters as much how long a vector is, or how large a bias beside it, as the
    scores depend on it; nothing has to be made equally long first.

    scikit-learn has k-means too, but would be a dependency of the core for
    these few lines.

    Args:
        vectors: float32 `[num_items, dim]`.
        states: float32 `[n, dim]`, states that are compared with them.
        count: Number of partitions that k-means looks for. There may be fewer,
            where items are equal, or more, since large ones are divided.
        seed: Of the centres that it starts with.
    """
    rng = np.random.default_rng(seed)
    root = _root(states)
    sample = vectors
    if len(vectors) > _SAMPLED * count:
        chosen = rng.choice(len(vectors), _SAMPLED * count, replace=False)
        sample = vectors[np.sort(chosen)]
    owners = _nearest(vectors, root, _centres(sample @ root, count, rng))
    order = np.argsort(owners, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(owners[order])) + 1)
    largest = _LARGEST * len(vectors) / count
    parts = [
        piece for part in parts for piece in _divided(part, vectors, largest)
    ]
    return Partitions(
        np.concatenate(parts).astype(np.int32),
        np.cumsum([0, *map(len, parts)]).astype(np.int32),
        np.stack([vectors[part].mean(0) for part in parts]),
    )


def _root(states: np.ndarray) -> np.ndarray:
    """Returns the root of the states' second moments, `[dim, dim]`."""
    moments = states.T.astype(np.float64) @ states / max(1, len(states))
    dim = len(moments)
    # Alone where there are no states.
    least = _SHRINKAGE * np.trace(moments) / dim or 1.0
    values, directions = np.linalg.eigh(moments + least * np.eye(dim))
    return (directions * np.sqrt(values)).astype(np.float32)


def _centres(
    sample: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Finds centres by Lloyd's iterations, `[count, dim]`."""
    centres = sample[rng.choice(len(sample), count, replace=False)]
    identity = np.eye(sample.shape[1], dtype=np.float32)
    for _ in range(_ITERATIONS):
        owners = _nearest(sample, identity, centres)
        counts = np.bincount(owners, minlength=count)
        order = np.argsort(owners, kind="stable")
        there = np.flatnonzero(counts)
        starts = (np.cumsum(counts) - counts)[there]
        sums = np.add.reduceat(sample[order], starts, axis=0)
        centres[there] = sums / counts[there, None]
        # One that no item is nearest to begins anew.
        empty = np.flatnonzero(counts == 0)
        centres[empty] = sample[rng.choice(len(sample), len(empty))]
    return centres


def _nearest(
    vectors: np.ndarray, root: np.ndarray, centres: np.ndarray
) -> np.ndarray:
    """Returns the nearest centre of each vector times the root, `[n]`."""
    half = np.square(centres).sum(1) / 2
    owners = np.empty(len(vectors), np.int64)
    rows = max(1, _AT_ONCE // len(centres))
    for start in range(0, len(vectors), rows):
        block = vectors[start : start + rows] @ root
        # |x - c|^2 / 2, but for |x|^2 / 2, negated.
        owners[start : start + rows] = (block @ centres.T - half).argmax(1)
    return owners


def _divided(
    part: np.ndarray, vectors: np.ndarray, largest: float
) -> list[np.ndarray]:
    """Divides a large partition evenly, along its longest axis."""
    pieces = int(np.ceil(len(part) / largest))
    if pieces <= 1:
        return [part]
    inside = vectors[part] - vectors[part].mean(0)
    axis = np.linalg.eigh(inside.T @ inside)[1][:, -1]
    along = part[np.argsort(inside @ axis, kind="stable")]
    return [np.sort(piece) for piece in np.array_split(along, pieces)]
