"""BPR against a slow, literal reading of its formula."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrec.errors import InputError
from tfrec.layers.item_logits import ItemLogits
from tfrec.layers.losses import BPRLoss, Histories, Targets

SIZE, DIM = 12, 4
# Windows with gaps, of two sequences.
ITEMS = np.array([[9, 10], [5, 0], [4, 4], [8, 0]])
HISTORY = np.array([[1, 9, 5], [2, 4, 0]])
PLACES = np.array([[0, 1], [0, 2], [1, 0], [1, 1]])
# Some are targets, some come earlier or later in the sequence; of the third
# position none counts. Where a target is missing, item 1 counts.
DRAWN = np.array([[9, 10, 5], [1, 2, 12], [2, 4, 4], [3, 8, 1]])


def literal_loss(scores, shares, weights):
    """Adds up -log sigmoid(r_i - r_j) pair by pair, in float64."""
    total = 0.0
    for row in range(4):
        holds = set(HISTORY[PLACES[row, 0]]) | set(ITEMS[row])
        for i, share in zip(ITEMS[row], shares[row], strict=True):
            for j in DRAWN[row]:
                if i and j not in holds:
                    margin = scores[row, i - 1] - scores[row, j - 1]
                    total += weights[row] * share * np.log1p(np.exp(-margin))
    return total


def test_the_loss_and_its_gradient_are_those_of_the_formula(monkeypatch):
    def randint(shape, minval, maxval, seed):
        assert (*shape, minval, maxval) == (4, 3, 0, SIZE)
        return tf.constant(DRAWN - 1, tf.int32)

    monkeypatch.setattr(keras.random, "randint", randint)
    logits = ItemLogits(SIZE)
    logits.build((None, DIM))
    logits.own_kernel.assign(tf.random.normal([SIZE, DIM]))
    logits.bias.assign(tf.random.normal([SIZE]))
    hidden = tf.random.normal([4, DIM])
    targets = Targets.of(
        tf.constant(ITEMS, tf.int32), tf.random.uniform([4]), decay=0.6
    )
    histories = Histories(
        tf.constant(HISTORY - 1, tf.int32), tf.constant(PLACES, tf.int64)
    )
    sources = [hidden, logits.own_kernel.value, logits.bias.value]
    with tf.GradientTape() as tape:
        tape.watch(sources)
        loss = BPRLoss(SIZE, 3).total(logits, hidden, targets, histories)
    gradients = tape.gradient(loss, sources)
    for table in gradients[1:]:
        assert isinstance(table, tf.IndexedSlices)
    values = [source.numpy().astype(float) for source in sources]

    def literal():
        hidden, kernel, bias = values
        shares, weights = targets.shares.numpy(), targets.weights.numpy()
        return literal_loss(hidden @ kernel.T + bias, shares, weights)

    np.testing.assert_allclose(loss, literal(), rtol=1e-5)
    for value, gradient in zip(values, gradients, strict=True):
        gradient = tf.convert_to_tensor(gradient).numpy()
        for at in np.ndindex(*value.shape):
            # Central differences in float64.
            start = value[at]
            value[at] = start + 1e-5
            above = literal()
            value[at] = start - 1e-5
            slope = (above - literal()) / 2e-5
            value[at] = start
            np.testing.assert_allclose(gradient[at], slope, 1e-3, 1e-4)


def test_negatives_must_be_fewer_than_the_items():
    with pytest.raises(InputError, match=rf"\({SIZE}\)\. Received: {SIZE}"):
        BPRLoss(SIZE, SIZE)
