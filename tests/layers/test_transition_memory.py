"""Tests of the transition memory against its formula, pair by pair."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tfrec.batches import TrainingBatch
from tfrec.models.base.transitions import make_memory, memory_counting
from tfrec.models.configs.gru4rec import GRU4RecConfig
from tfrec.shapes import Positions

NUM_ITEMS = 12
DIM = 3
SETTINGS = {
    "memory": "gated",
    "memory_window": 3,
    "memory_pair_decay": 0.7,
    "memory_decay": 0.8,
    "memory_row_power": 0.6,
    "memory_item_power": 0.3,
    "memory_floor": 0.2,
}


def sequences(count=60, seed=0):
    """Returns random sequences in which items come again."""
    rng = np.random.default_rng(seed)
    return [
        rng.integers(1, NUM_ITEMS + 1, n).tolist()
        for n in rng.integers(2, 12, count)
    ]


def padded(rows):
    return tf.ragged.constant(rows, tf.int32).to_tensor()


def count(rows):
    """Counts pairs as the settings say, one at a time."""
    counts = np.zeros((NUM_ITEMS + 1, NUM_ITEMS + 1))
    for row in rows:
        for place, first in enumerate(row):
            for distance in (1, 2, 3):
                if place + distance < len(row):
                    second = row[place + distance]
                    counts[first, second] += 0.7 ** (distance - 1)
    return counts


def evidence_after(history, counts, whole):
    """Returns log(1 + e / floor) with counts scaled as those of the log."""
    rows, columns = whole.sum(1), whole.sum(0)
    scale = (
        np.where(rows > 0, rows, 1.0)[:, None] ** -0.6
        * np.where(columns > 0, columns, 1.0) ** -0.3
    )
    unit = (whole * scale)[whole > 0].mean()
    e = np.zeros(NUM_ITEMS + 1)
    for age, item in enumerate(history[::-1]):
        e += 0.8**age * (counts * scale)[item]
    return np.log1p(e / unit / 0.2)[1:]


def memory_of(rows):
    """Returns a memory that has counted the sequences, in two batches."""
    config = GRU4RecConfig(**SETTINGS)
    memory = make_memory(config, NUM_ITEMS)
    memory.build((None, DIM))
    memory.kernel.assign([0.5, -1.0, 0.3])
    half = len(rows) // 2
    batches = tf.nest.map_structure(
        lambda part: part.numpy(),
        [TrainingBatch.of(padded(part)) for part in (rows[:half], rows[half:])],
    )
    memory.remember(memory_counting(config).count(batches, NUM_ITEMS))
    return memory


def test_scores_are_those_of_the_formula():
    rows = sequences()
    memory = memory_of(rows)
    states = tf.random.normal([len(rows), DIM])
    found = memory(padded(rows), states)
    gates = tf.linalg.matvec(states, memory.kernel) + 10.0 * memory.bias
    gates = np.log1p(np.exp(gates))
    whole = count(rows)
    for row, gate, values in zip(rows, gates, found, strict=True):
        expected = gate * evidence_after(row, whole, whole)
        np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5)


def test_an_empty_history_adds_nothing():
    memory = memory_of(sequences())
    for history in (np.zeros((2, 0), "i4"), np.zeros((2, 3), "i4")):
        found = memory(tf.constant(history), tf.zeros([2, DIM]))
        np.testing.assert_array_equal(found, np.zeros((2, NUM_ITEMS)))


@pytest.mark.parametrize("block", [7, 64, 512])
def test_in_training_a_sequence_does_not_see_itself(block):
    rows = sequences(40)
    memory = memory_of(rows)
    items = padded(rows)
    weights = tf.ones([len(rows)])
    places = Positions.where(items[:, 1:] > 0, weights).places
    count_real = sum(map(len, rows)) - len(rows)
    assert count_real < len(places)
    given = memory.evidence(items, places, tf.zeros([len(places), DIM]))
    found, left = [], tf.zeros([NUM_ITEMS])
    for start in range(0, len(places), block):
        stop = min(start + block, len(places))
        part, left = given.block(tf.constant(start), tf.constant(stop), left)
        found.append(part)
    whole = count(rows)
    pairs = zip(places.numpy(), np.concatenate(found), strict=True)
    for (row, place), values in itertools.islice(pairs, count_real):
        others = whole - count([rows[row]])
        history = rows[row][: place + 1]
        expected = evidence_after(history, others, whole)
        np.testing.assert_allclose(values, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "learned"), [("fixed", 0), ("learned", 1), ("gated", 2)]
)
def test_the_gate_starts_at_its_scale(kind, learned):
    config = GRU4RecConfig(memory=kind, memory_scale=0.7)
    memory = make_memory(config, NUM_ITEMS)
    memory.build((None, DIM))
    gates = memory.gates(tf.random.normal([5, DIM]))
    np.testing.assert_allclose(gates, [0.7] * 5, rtol=1e-6)
    assert len(memory.trainable_variables) == learned
