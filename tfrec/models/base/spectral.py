"""Item vectors to start from: what the log says of items without training.

Items that the same sequences have, or that stand near to each other in them,
get vectors near to each other. Alone the first recommend: their products are
the ideal low-pass filter of Shen et al., How powerful is graph convolution for
recommendation? (CIKM'21). The second are those of spectral clustering (Ng,
Jordan and Weiss, NIPS'01) with counts in a window for the affinities.
"""

from collections.abc import Iterable

import numpy as np
from scipy.sparse import coo_array, csr_array, diags_array
from scipy.sparse.linalg import eigsh, svds

from tfrec.batches import TrainingBatch
from tfrec.models.base.counting import PairCounts, following
from tfrec.models.base.items import distinct_array

# Singular values below this part of the largest are rounding errors of 0.
_NO_VALUE = 1e-4
# Items stand near to each other within so many steps; a pair weighs so much for
# 1 of one that is a step nearer.
_WINDOW = 20
_DECAY = 0.9


def vectors_at_start(
    kind: str, batches: Iterable[TrainingBatch], num_items: int, dim: int
) -> np.ndarray:
    """Returns the vectors of `--item_start`; for arguments see below."""
    make = {"spectral": spectral_vectors, "nearby": nearby_vectors}[kind]
    return make(batches, num_items, dim)


def spectral_vectors(
    batches: Iterable[TrainingBatch], num_items: int, dim: int
) -> np.ndarray:
    """Returns the strongest right singular vectors of the log.

    With R(s, i) = 1 where the sequence s has the item i, they are those of

        N = D_s^(-1/2) R D_i^(-1/2)

    where D_s and D_i have the sums of R over a sequence and over an item. All
    of them weigh the same. Where there are fewer, the rest is 0.

    Args:
        batches: One epoch, of arrays. They take some 30 bytes for each
            interaction, and the vectors three times what is returned.
        num_items: Number of items in the vocabulary.
        dim: How many.

    Returns:
        float32 `[num_items, dim]`, the strongest last; 0 for items that no
        sequence has.
    """
    items, lengths = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)]
    for batch in batches:
        rows = distinct_array(batch.items)
        items.append(rows[rows > 0])
        lengths.append((rows > 0).sum(1))
    columns = np.concatenate(items) - 1
    ends = np.cumsum(np.concatenate([[0], *lengths]))
    del items
    log = csr_array(
        (np.ones(len(columns), np.float32), columns, ends),
        shape=(len(ends) - 1, num_items),
    )
    found = np.zeros((num_items, dim), np.float32)
    rank = min(dim, *(size - 1 for size in log.shape))
    if rank < 1:
        return found
    of_sequences, of_items = (
        diags_array(np.maximum(log.sum(axis), 1.0) ** -0.5) for axis in (1, 0)
    )
    normalized = (of_sequences @ log @ of_items).astype(np.float32)
    _, values, vectors = svds(normalized, k=rank, v0=_start(min(log.shape)))
    # Of a value of 0 any vector is one, also on items that nobody has.
    vectors = vectors[values > _NO_VALUE * values[-1]]
    found[:, dim - len(vectors) :] = vectors.T
    return found


def nearby_vectors(
    batches: Iterable[TrainingBatch], num_items: int, dim: int
) -> np.ndarray:
    """Returns the strongest eigenvectors of how often items stand near.

    With C(i, j) the weighted number of times that the items i and j stand
    within a window, in either order, they are those of

        N = D^(-1/2) C D^(-1/2)

    where D has the sums of a row of C, of the largest eigenvalues. All of them
    weigh the same. Where there are fewer above 0, the rest is 0. Of an
    eigenvalue that comes many times, as where a log has many parts without an
    item in common, some vectors may be left out.

    Args:
        batches: One epoch, of arrays. Some 150 bytes are taken for each pair of
            items that stand near, and three times what is returned.
        num_items: Number of items in the vocabulary.
        dim: How many.

    Returns:
        float32 `[num_items, dim]`, the strongest last; 0 for items that stand
        near to no other.
    """
    counts = PairCounts(num_items)
    for batch in batches:
        for distance in range(1, min(_WINDOW, batch.items.shape[1] - 1) + 1):
            first, second = following(batch.items, distance)
            pair = first[first != second], second[first != second]
            # The matrix is symmetric: one half is counted.
            counts.add(
                np.minimum(*pair), np.maximum(*pair), _DECAY ** (distance - 1)
            )
    first, second, strength = counts.total()
    half = coo_array(
        (strength, (first - 1, second - 1)), shape=(num_items, num_items)
    ).tocsr()
    near = half + half.T
    found = np.zeros((num_items, dim), np.float32)
    sums = near.sum(1)
    rank = min(dim, num_items - 1)
    if rank < 1 or not near.nnz:
        return found
    scale = diags_array(np.where(sums > 0, np.maximum(sums, 1e-30) ** -0.5, 0))
    normalized = (scale @ near @ scale).astype(np.float32)
    values, vectors = eigsh(
        normalized, k=rank, which="LA", v0=_start(num_items)
    )
    vectors = vectors[:, values > _NO_VALUE * values[-1]]
    found[:, dim - vectors.shape[1] :] = vectors
    return found


def _start(size: int) -> np.ndarray:
    """Returns where a solver starts, so that it finds the same in every run."""
    return np.random.default_rng(0).normal(size=size).astype(np.float32)
