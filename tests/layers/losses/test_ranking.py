"""The losses on a sample against a slow, literal reading of their formulas."""

import numpy as np
import pytest
import tensorflow as tf

from tfrec.layers.item_logits import ItemLogits
from tfrec.layers.losses import (
    Histories,
    PopularitySampler,
    RankingLoss,
    Targets,
    sampler,
)
from tfrec.layers.losses.sampler import Sample

SIZE, DIM = 12, 4
KINDS = ("bpr_max", "top1_max", "top1")
# With a repeated draw, and targets that are drawn too.
DRAWN = (3, 5, 5, 8, 2, 11)
# Windows with gaps; the second position's target came before.
ITEMS = np.array([[3, 9, 11], [5, 0, 0], [4, 4, 6], [8, 2, 0]])
HISTORY = np.array([[1, 8, 5], [2, 3, 0]])
PLACES = np.array([[0, 1], [0, 2], [1, 0], [1, 1]])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def literal_loss(kind, penalty, scores, shares, weights, left_out, floor=0.0):
    """Adds up the loss position by position, in float64.

    Args:
        kind: One of `KINDS`.
        penalty: Of the regulariser.
        scores: `[n, num_items]`, r of every item.
        shares: `[n, k]`, of `ITEMS`.
        weights: `[n]`.
        left_out: A set of items for each position.
        floor: If positive, alpha of the ELU that makes r of the scores.
    """
    total = 0.0
    if floor:
        scores = np.where(scores > 0, scores, floor * (np.exp(scores) - 1))
    for row in range(len(scores)):
        for item, share in zip(ITEMS[row], shares[row], strict=True):
            if not item:
                continue
            r_i = scores[row, item - 1]
            sample = sorted(set(DRAWN) - set(ITEMS[row]) - left_out[row])
            if not sample:
                continue
            r = np.array([scores[row, j - 1] for j in sample])
            s = np.exp(r) / np.sum(np.exp(r))
            if kind == "top1":
                loss = np.mean(sigmoid(r - r_i) + penalty * sigmoid(r**2))
            elif kind == "bpr_max":
                loss = -np.log(np.sum(s * sigmoid(r_i - r)))
                loss += penalty * np.sum(s * r**2)
            else:
                loss = np.sum(s * (sigmoid(r - r_i) + penalty * sigmoid(r**2)))
            total += weights[row] * share * loss
    return total


@pytest.fixture(name="draw")
def _draw(monkeypatch):
    """Makes a function that sets the items of every sample."""

    def draw(items):
        again = [item in items[:n] for n, item in enumerate(items)]
        # The vocabulary is in the order of popularity.
        sample = Sample(
            tf.constant(items, tf.int64) - 1,
            tf.where(again, 1e30, -1.0),
            tf.zeros([]),
        )
        monkeypatch.setattr(sampler, "draw_items", lambda *_: sample)

    draw(DRAWN)
    return draw


def problem():
    """Returns logits, states, targets and what came before them."""
    logits = ItemLogits(SIZE)
    logits.build((None, DIM))
    logits.own_kernel.assign(tf.random.normal([SIZE, DIM]))
    logits.bias.assign(tf.random.normal([SIZE]))
    targets = Targets.of(
        tf.constant(ITEMS, tf.int32), tf.random.uniform([4]), decay=0.7
    )
    histories = Histories(
        tf.constant(HISTORY - 1, tf.int32), tf.constant(PLACES, tf.int64)
    )
    return logits, tf.random.normal([4, DIM]), targets, histories


def made(kind, penalty=1.0, **options) -> RankingLoss:
    """Returns a loss."""
    draws = PopularitySampler(SIZE, len(DRAWN))
    return RankingLoss(kind, draws, penalty, **options)


@pytest.mark.parametrize("exclude_history", [False, True])
@pytest.mark.parametrize("penalty", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_its_formula(kind, penalty, exclude_history, draw):
    logits, hidden, targets, histories = problem()
    left_out = [set()] * 4
    if exclude_history:
        left_out = [set(HISTORY[s, : t + 1]) for s, t in PLACES]
    kernel, bias = logits.own_kernel.numpy(), logits.bias.numpy()

    def literal(hidden, kernel, bias):
        scores = hidden.astype(float) @ kernel.T.astype(float) + bias
        return literal_loss(
            kind, penalty, scores, targets.shares, targets.weights, left_out
        )

    loss = made(kind, penalty, exclude_history=exclude_history)
    received = loss.total(logits, hidden, targets, histories)
    expected = literal(hidden.numpy(), kernel, bias)
    np.testing.assert_allclose(received, expected, rtol=1e-5)


@pytest.mark.parametrize("floor", [0.0, 0.5])
@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_is_that_of_the_formula(kind, floor, draw):
    logits, hidden, targets, histories = problem()
    sources = [hidden, logits.own_kernel.value, logits.bias.value]
    net = made(kind, 0.5, floor=floor)
    with tf.GradientTape() as tape:
        tape.watch(sources)
        loss = net.total(logits, hidden, targets, histories)
    gradients = tape.gradient(loss, sources)
    values = [source.numpy().astype(float) for source in sources]

    def literal():
        hidden, kernel, bias = values
        scores = hidden @ kernel.T + bias
        shares, weights = targets.shares.numpy(), targets.weights.numpy()
        return literal_loss(
            kind, 0.5, scores, shares, weights, [set()] * 4, floor
        )

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


@pytest.mark.parametrize("kind", KINDS)
def test_a_target_that_is_all_of_the_sample_costs_nothing(kind, draw):
    draw([3] * 6)
    logits, hidden, _, histories = problem()
    targets = Targets.of(tf.fill([4, 1], 3), tf.ones([4]))
    with tf.GradientTape() as tape:
        tape.watch(hidden)
        loss = made(kind).total(logits, hidden, targets, histories)
    assert loss == 0.0
    np.testing.assert_array_equal(tape.gradient(loss, hidden), np.zeros([4, 4]))


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_products_stay_near_float32(kind, draw):
    inputs = problem()
    exact = made(kind).total(*inputs)
    near = made(kind, matmul_dtype="bfloat16").total(*inputs)
    assert near != exact
    np.testing.assert_allclose(near, exact, rtol=2e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_have_only_the_rows_that_were_read(kind):
    logits, hidden, targets, histories = problem()
    variables = [logits.own_kernel.value, logits.bias.value]
    with tf.GradientTape() as tape:
        loss = made(kind).total(logits, hidden, targets, histories)
    for gradient in tape.gradient(loss, variables):
        assert isinstance(gradient, tf.IndexedSlices)
        assert len(gradient.indices) <= len(DRAWN) + ITEMS.size
