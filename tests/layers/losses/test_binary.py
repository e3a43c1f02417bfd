"""The binary losses against a slow, literal reading of their formula."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrec.errors import InputError
from tfrec.layers.item_logits import ItemLogits
from tfrec.layers.losses import BinaryLoss, Histories, Targets
from tfrec.layers.losses.binary import calibrated_power

SIZE, DIM = 12, 4
# Windows with gaps, of two sequences.
ITEMS = np.array([[9, 10], [5, 0], [4, 4], [8, 0]])
HISTORY = np.array([[1, 9, 5], [2, 4, 0]])
PLACES = np.array([[0, 1], [0, 2], [1, 0], [1, 1]])
# Some negatives are targets, some come earlier or later in the sequence, one
# of a position is drawn twice, one is in the other sequence alone.
DRAWN = np.array([[9, 10, 5], [1, 2, 12], [7, 7, 4], [3, 8, 6]])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def literal_loss(power, scores, shares, weights):
    """Adds up the loss position by position, in float64."""
    total = 0.0
    for row in range(4):
        holds = set(HISTORY[PLACES[row, 0]]) | set(ITEMS[row])
        for item, share in zip(ITEMS[row], shares[row], strict=True):
            if item:
                r_i = scores[row, item - 1]
                total -= weights[row] * share * power * np.log(sigmoid(r_i))
        for item in DRAWN[row]:
            if item not in holds:
                r_j = scores[row, item - 1]
                total -= weights[row] * np.log(1 - sigmoid(r_j))
    return total


@pytest.fixture(autouse=True)
def drawn(monkeypatch):
    """Sets the draws, and checks that they are asked for as negatives are."""

    def randint(shape, minval, maxval, seed):
        assert (*shape[1:], minval, maxval) == (3, 0, SIZE)
        return tf.constant(DRAWN - 1, tf.int32)

    monkeypatch.setattr(keras.random, "randint", randint)


def problem():
    """Returns logits, states, targets and what the sequences hold."""
    logits = ItemLogits(SIZE)
    logits.build((None, DIM))
    logits.own_kernel.assign(tf.random.normal([SIZE, DIM]))
    logits.bias.assign(tf.random.normal([SIZE]))
    targets = Targets.of(
        tf.constant(ITEMS, tf.int32), tf.random.uniform([4]), decay=0.6
    )
    histories = Histories(
        tf.constant(HISTORY - 1, tf.int32), tf.constant(PLACES, tf.int64)
    )
    return logits, tf.random.normal([4, DIM]), targets, histories


@pytest.mark.parametrize("calibration", [0.0, 0.75, 1.0])
def test_the_loss_is_its_formula(calibration):
    logits, hidden, targets, histories = problem()
    loss = BinaryLoss(SIZE, 3, calibration)
    kernel, bias = logits.own_kernel.numpy(), logits.bias.numpy()
    scores = hidden.numpy().astype(float) @ kernel.T + bias
    # gSASRec, section 5: a is the share of the negatives that is drawn.
    a = 3 / (SIZE - 1)
    power = a * (calibration * (1 - 1 / a) + 1 / a)
    expected = literal_loss(power, scores, targets.shares, targets.weights)
    received = loss.total(logits, hidden, targets, histories)
    np.testing.assert_allclose(received, expected, rtol=1e-5)


def test_the_gradient_is_that_of_the_formula():
    logits, hidden, targets, histories = problem()
    sources = [hidden, logits.own_kernel.value, logits.bias.value]
    loss = BinaryLoss(SIZE, 3, 0.5)
    with tf.GradientTape() as tape:
        tape.watch(sources)
        total = loss.total(logits, hidden, targets, histories)
    gradients = tape.gradient(total, sources)
    values = [source.numpy().astype(float) for source in sources]

    def literal():
        hidden, kernel, bias = values
        return literal_loss(
            loss.power,
            hidden @ kernel.T + bias,
            targets.shares.numpy(),
            targets.weights.numpy(),
        )

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


@pytest.mark.parametrize("rate", [1e-5, 0.01, 0.5, 1.0])
def test_the_power_goes_from_the_plain_loss_to_the_rate(rate):
    assert calibrated_power(rate, 0.0) == pytest.approx(1.0)
    assert calibrated_power(rate, 1.0) == pytest.approx(rate)
    half = calibrated_power(rate, 0.5)
    assert half == pytest.approx((1 + rate) / 2)


@pytest.mark.parametrize("negatives", [SIZE, SIZE + 1])
def test_negatives_must_be_fewer_than_the_items(negatives):
    with pytest.raises(
        InputError, match=rf"\({SIZE}\)\. Received: {negatives}"
    ):
        BinaryLoss(SIZE, negatives)


def test_gradients_have_only_the_rows_that_were_read():
    logits, hidden, targets, histories = problem()
    variables = [logits.own_kernel.value, logits.bias.value]
    with tf.GradientTape() as tape:
        loss = BinaryLoss(SIZE, 3).total(logits, hidden, targets, histories)
    for gradient in tape.gradient(loss, variables):
        assert isinstance(gradient, tf.IndexedSlices)
        assert len(gradient.indices) <= DRAWN.size + ITEMS.size
