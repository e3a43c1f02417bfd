"""Tests of where item vectors start: the singular vectors of the log."""

import numpy as np
import pytest
import tensorflow as tf

from tests.models.small import batch
from tfrec.batches import TrainingBatch
from tfrec.models import ACVAE, FPMC, ACVAEConfig, FPMCConfig
from tfrec.models.base.spectral import (
    nearby_vectors,
    spectral_vectors,
    vectors_at_start,
)


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


def literal_nearby(sequences, num_items, rank):
    """Returns the projection on the strongest eigenvectors, from all."""
    near = np.zeros((num_items, num_items))
    for sequence in sequences:
        for place, item in enumerate(sequence):
            for distance, other in enumerate(sequence[place + 1 :][:20]):
                if item != other:
                    near[item - 1, other - 1] += 0.9**distance
                    near[other - 1, item - 1] += 0.9**distance
    scale = np.maximum(near.sum(1), 1e-9) ** -0.5
    values, vectors = np.linalg.eigh(near * np.outer(scale, scale))
    kept = vectors[:, np.argsort(-values)[:rank]]
    return kept @ kept.T


def test_nearby_ones_are_the_strongest_of_what_stands_in_a_window():
    rng = np.random.default_rng(1)
    # Walks, so that what stands near says something.
    sequences = [
        1 + np.cumsum(rng.integers(0, 3, n)) // 2 % 60
        for n in rng.integers(2, 90, 60)
    ]
    rows = np.array([np.pad(s, (0, 90 - len(s))) for s in sequences])
    found = nearby_vectors(batches(rows[:9], rows[9:]), 61, 4)
    assert found.shape == (61, 4) and found.dtype == np.float32
    np.testing.assert_allclose(
        found @ found.T, literal_nearby(sequences, 61, 4), atol=1e-4
    )
    # The item 61 is in no sequence.
    np.testing.assert_allclose(found[60], 0, atol=1e-6)
    again = nearby_vectors(batches(rows[:9], rows[9:]), 61, 4)
    np.testing.assert_array_equal(found, again)


def test_nearby_ones_tell_the_parts_of_one_sequence():
    # All sequences hold all items: only the order tells them apart.
    rng = np.random.default_rng(2)
    halves = [np.arange(1, 61), np.arange(61, 121)]
    rows = np.array(
        [
            np.concatenate([rng.permutation(half) for half in halves])
            for _ in range(40)
        ]
    )
    found = nearby_vectors(batches(rows), 120, 2)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    near = found @ found.T
    assert near[:60, :60].mean() > near[:60, 60:].mean() + 0.5
    alike = spectral_vectors(batches(rows), 120, 1)
    assert np.ptp(np.abs(alike)) < 1e-3


@pytest.mark.parametrize(
    "rows", [[], [[1, 0, 0]], [[2, 2, 2]], [[1, 2, 0]]], ids=str
)
def test_of_a_small_log_few_are_nearby(rows):
    rows = np.array(rows, np.int32).reshape(len(rows), 3)
    found = nearby_vectors(batches(rows), 9, 3)
    assert found.shape == (9, 3)
    np.testing.assert_allclose(found[4:], 0, atol=1e-6)
    pairs = len(rows) and len({*rows[0]} - {0}) > 1
    assert np.count_nonzero(np.abs(found).sum(0)) == bool(pairs)


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
        (ACVAE, ACVAEConfig(embedding_dim=2, item_start="nearby")),
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
    expected = vectors_at_start(
        config.item_start, [TrainingBatch.of(items)], 12, 2
    )
    found = model.embedding.item_vectors.numpy()
    cosines = [
        vectors @ vectors.T / np.outer(norms, norms)
        for vectors in (found, expected)
        for norms in [np.linalg.norm(vectors, axis=1)]
    ]
    np.testing.assert_allclose(cosines[0], cosines[1], atol=1e-5)
