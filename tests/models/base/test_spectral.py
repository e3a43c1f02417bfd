"""Tests of where item vectors start: the singular vectors of the log."""

import numpy as np
import pytest
import tensorflow as tf

from tests.models.small import batch
from tfrec.batches import TrainingBatch
from tfrec.models import ACVAE, FPMC, ACVAEConfig, FPMCConfig
from tfrec.models.base.spectral import spectral_vectors


def batches(*rows):
    """Yields a batch of arrays for each array of sequences."""
    for row in rows:
        yield TrainingBatch.of(np.array(row, np.int32))


def literal(sequences, num_items, rank):
    """Returns the projection on the strongest singular vectors, from all."""
    log = np.zeros((len(sequences), num_items))
    for row, sequence in enumerate(sequences):
        log[row, np.unique(sequence) - 1] = 1
    lengths, counts = log.sum(1), np.maximum(log.sum(0), 1)
    normalized = log / np.sqrt(np.outer(lengths, counts))
    vectors = np.linalg.svd(normalized)[2][:rank]
    return vectors.T @ vectors


def test_they_are_the_strongest_of_the_normalised_log():
    rng = np.random.default_rng(0)
    sequences = [rng.integers(1, 12, n) for n in rng.integers(2, 7, 40)]
    rows = np.array([np.pad(s, (0, 7 - len(s))) for s in sequences])
    found = spectral_vectors(batches(rows[:15], rows[15:]), 12, 5)
    assert found.shape == (12, 5) and found.dtype == np.float32
    np.testing.assert_allclose(
        found @ found.T, literal(sequences, 12, 5), atol=1e-4
    )
    # The item 12 is in no sequence.
    np.testing.assert_allclose(found[11], 0, atol=1e-6)
    again = spectral_vectors(batches(rows[:15], rows[15:]), 12, 5)
    np.testing.assert_array_equal(found, again)


def test_items_of_the_same_sequences_are_near():
    rows = [[1, 2, 3], [2, 3, 1], [4, 5, 6], [6, 4, 0], [1, 3, 4]]
    found = spectral_vectors(batches(rows), 6, 2)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    near = found @ found.T
    assert near[0, 1] > 0.9 and near[4, 5] > 0.9 and near[1, 4] < 0.3


@pytest.mark.parametrize(
    ("rows", "rank"),
    [
        ([[1, 2, 3], [3, 4, 0]], 1),
        ([[1, 2, 3]] * 20, 1),
        ([[1, 2, 3]], 0),
        ([], 0),
    ],
)
def test_a_small_log_has_few(rows, rank):
    rows = np.array(rows, np.int32).reshape(len(rows), 3)
    found = spectral_vectors(batches(rows), 9, 3)
    assert found.shape == (9, 3)
    np.testing.assert_allclose(found[4:], 0, atol=1e-6)
    assert np.count_nonzero(np.abs(found).sum(0)) == rank


@pytest.mark.parametrize(
    ("made", "config"),
    [
        (ACVAE, ACVAEConfig(embedding_dim=2, item_start="spectral")),
        (FPMC, FPMCConfig(embedding_dim=2, item_start="spectral")),
    ],
)
def test_a_model_starts_there_once(made, config):
    model = made(12, config, num_users=9)
    assert model.needs_adapt
    model.adapt(tf.data.Dataset.from_tensors(batch()))
    assert not model.needs_adapt
    placed = model.embedding.item_vectors.numpy()
    # What is there later was learned.
    model.adapt(tf.data.Dataset.from_tensors(batch([[1, 5, 9], [2, 9]])))
    np.testing.assert_array_equal(model.embedding.item_vectors, placed)
    items = batch().items.numpy()
    expected = spectral_vectors([TrainingBatch.of(items)], 12, 2)
    found = model.embedding.item_vectors.numpy()
    cosines = [
        vectors @ vectors.T / np.outer(norms, norms)
        for vectors in (found, expected)
        for norms in [np.linalg.norm(vectors, axis=1)]
    ]
    np.testing.assert_allclose(cosines[0], cosines[1], atol=1e-5)
