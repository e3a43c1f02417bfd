"""Item vectors to start from: the singular vectors of the log.

Items that the same sequences have get vectors near to each other. Alone they
recommend: their products are the ideal low-pass filter of Shen et al., How
powerful is graph convolution for recommendation? (CIKM'21).
"""

from collections.abc import Iterable

import numpy as np
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import svds

from tfrec.batches import TrainingBatch
from tfrec.models.base.items import distinct_array

# Singular values below this part of the largest are rounding errors of 0.
_NO_VALUE = 1e-4


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
    # Without a start of its own it would find others in every run.
    start = np.random.default_rng(0).normal(size=min(log.shape))
    normalized = (of_sequences @ log @ of_items).astype(np.float32)
    _, values, vectors = svds(normalized, k=rank, v0=start.astype(np.float32))
    # Of a value of 0 any vector is one, also on items that nobody has.
    vectors = vectors[values > _NO_VALUE * values[-1]]
    found[:, dim - len(vectors) :] = vectors.T
    return found
