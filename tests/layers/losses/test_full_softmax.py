"""Tests of the blocked loss of the full softmax."""

import numpy as np
import pytest
import tensorflow as tf

from tfrec.layers.item_logits import ItemLogits
from tfrec.layers.losses import FullSoftmax, Histories, Targets, full_softmax
from tfrec.layers.losses.evidence import Evidence
from tfrec.layers.losses.full_softmax import softmax_loss


def reference(
    hidden, kernel, bias, columns, shares, weights, smoothing, seen=None
):
    """The loss in one piece, by TensorFlow's own operations.

    `seen`, bool `[n, num_items]`: which items a row leaves out, but for its
    targets.
    """
    logits = tf.matmul(hidden, kernel, transpose_b=True) + bias
    size = kernel.shape[0]
    target = tf.reduce_sum(tf.one_hot(columns, size) * shares[..., None], 1)
    seen = np.zeros(logits.shape, bool) if seen is None else seen
    even = ~seen / np.sum(~seen, 1, keepdims=True)
    log_p = tf.nn.log_softmax(tf.where(seen & (target == 0), -1e9, logits))
    target = (1 - smoothing) * target + smoothing * even
    return -tf.reduce_sum(weights * tf.reduce_sum(target * log_p, -1))


def problem(rows=70, targets=3, size=11, dim=5):
    """Returns random inputs of the loss."""
    return (
        tf.random.normal([rows, dim]),
        tf.random.normal([size, dim]),
        tf.random.normal([size]),
        tf.random.uniform([rows, targets], 0, size, tf.int32),
        tf.nn.softmax(tf.random.normal([rows, targets])),
        tf.random.uniform([rows]),
    )


def check(inputs, smoothing, histories=None, seen=None):
    """Compares loss and gradients with those of the reference."""
    sources = list(inputs[:3])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(sources)
        # A factor checks that the gradient follows what comes after the loss.
        ours = 3.0 * softmax_loss(*inputs, smoothing, histories=histories)
        expected = 3.0 * reference(*inputs, smoothing, seen)
    np.testing.assert_allclose(ours, expected, rtol=1e-5)
    for a, b in zip(
        tape.gradient(ours, sources),
        tape.gradient(expected, sources),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_blocked_loss_and_gradients_equal_the_plain_ones(
    smoothing, monkeypatch
):
    monkeypatch.setattr(full_softmax, "_BLOCK", 16)
    inputs = problem()
    check(inputs, smoothing)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_items_of_the_history_are_left_out_unless_they_are_targets(
    smoothing, monkeypatch
):
    monkeypatch.setattr(full_softmax, "_BLOCK", 4)
    # Item 7 comes back as a target. A target that is not there, 0, stands for
    # the column of item 1.
    history = tf.constant([[7, 3, 3, 9], [1, 5, 0, 0]])
    places = tf.where(history > 0)
    *inputs, _, _, _ = problem(rows=6)
    items = [[3, 7], [4, 0], [9, 0], [1, 4], [5, 6], [8, 0]]
    columns = tf.maximum(tf.constant(items) - 1, 0)
    shares = [[0.3, 0.7], [1, 0], [1, 0], [0.5, 0.5], [0.1, 0.9], [1, 0]]
    inputs += [columns, tf.constant(shares), tf.random.uniform([6])]
    seen = np.zeros([6, 11], bool)
    for row, (sequence, last) in enumerate(places.numpy()):
        seen[row, history.numpy()[sequence, : last + 1] - 1] = True
    check(inputs, smoothing, Histories(history - 1, places), seen)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_a_history_may_be_one_item(smoothing):
    history = tf.constant([[4], [9]])
    seen = np.zeros([2, 11], bool)
    seen[[0, 1], [3, 8]] = True
    histories = Histories(history - 1, tf.where(history > 0))
    check(problem(rows=2), smoothing, histories, seen)


def test_bfloat16_products_stay_near_float32():
    inputs = problem()
    exact = softmax_loss(*inputs)
    near = softmax_loss(*inputs, matmul_dtype="bfloat16")
    assert near != exact
    np.testing.assert_allclose(near, exact, rtol=2e-2)


@pytest.mark.parametrize("softmax_is_exact", [True, False])
def test_bfloat16_holds_for_many_items_and_all_parts(
    softmax_is_exact, monkeypatch
):
    if not softmax_is_exact:
        # Of a processor whose bfloat16 oneDNN does not use.
        monkeypatch.setattr(full_softmax, "_softmax_is_exact", lambda _: False)
    monkeypatch.setattr(full_softmax, "_BLOCK", 16)
    *inputs, weights = problem(rows=40, size=20_000, dim=8)
    inputs += [weights / tf.reduce_sum(weights)]
    histories = Histories(
        tf.random.uniform([4, 10], 0, 20_000, tf.int32),
        tf.where(tf.ones([4, 10], tf.bool)),
    )
    found = []
    for dtype in ("float32", "bfloat16"):
        with tf.GradientTape() as tape:
            tape.watch(inputs[:3])
            loss = softmax_loss(
                *inputs, 0.1, matmul_dtype=dtype, histories=histories
            )
        found.append([loss, *tape.gradient(loss, inputs[:3])])
    for exact, near in zip(*found, strict=True):
        error = np.linalg.norm(near - exact) / np.linalg.norm(exact)
        assert 0 < error < 0.03


def test_a_bias_in_two_columns_keeps_its_digits():
    bias = tf.random.normal([1000]) + 30.0
    columns = full_softmax._columns(bias, tf.bfloat16)
    assert columns.dtype == tf.bfloat16
    near = tf.reduce_sum(tf.cast(columns, tf.float32), 1)
    np.testing.assert_allclose(near, bias, rtol=2.0**-16)
    assert full_softmax._columns(bias, tf.float32).shape == (1000, 0)


def test_a_hopeless_target_costs_a_finite_loss():
    loss = softmax_loss(
        tf.constant([[1.0]]),
        tf.constant([[0.0], [500.0]]),
        tf.zeros([2]),
        tf.constant([[0]]),
        tf.ones([1, 1]),
        tf.ones([1]),
    )
    assert np.isfinite(loss) and loss > 80


def test_the_items_of_a_set_share_the_target():
    logits = ItemLogits(6)
    logits.build((None, 4))
    hidden = tf.random.normal([1, 4])
    targets = Targets.of(tf.constant([[2, 5, 0]]), tf.ones([1]))
    nothing = Histories(tf.constant([[-1]]), tf.constant([[0, 0]], tf.int64))
    pair = FullSoftmax().total(logits, hidden, targets, nothing)
    log_p = logits(hidden)[0]
    np.testing.assert_allclose(pair, -(log_p[1] + log_p[4]) / 2, rtol=1e-5)


@pytest.mark.parametrize("cosine_scale", [0.0, 9.0])
@pytest.mark.parametrize("exclude_history", [False, True])
def test_the_layer_scores_as_its_logits_do(cosine_scale, exclude_history):
    logits = ItemLogits(6, cosine_scale=cosine_scale)
    logits.build((None, 4))
    logits.bias.assign(tf.random.normal([6]))
    hidden = tf.random.normal([2, 4])
    weights = tf.constant([0.3, 2.0])
    targets = Targets.of(tf.constant([[2], [6]]), weights)
    # The second position has read items 2 and 4; the first, item 2 alone.
    histories = Histories(
        tf.constant([[1, 3]]), tf.constant([[0, 0], [0, 1]], tf.int64)
    )
    loss = FullSoftmax(exclude_history=exclude_history)
    log_p = logits(hidden).numpy()
    if exclude_history:
        log_p[1, [1, 3]] = -np.inf
        log_p[1] -= np.log(np.exp(log_p[1]).sum())
    expected = -0.3 * log_p[0, 1] - 2.0 * log_p[1, 5]
    received = loss.total(logits, hidden, targets, histories)
    np.testing.assert_allclose(received, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("block", "dtype"), [(9, "float32"), (512, "float32"), (9, "bfloat16")]
)
def test_evidence_is_a_term_of_the_logits(block, dtype, monkeypatch):
    monkeypatch.setattr(full_softmax, "_BLOCK", block)
    hidden, kernel, bias, columns, shares, weights = problem()
    known = tf.nn.relu(tf.random.normal([len(hidden), len(kernel)]))
    gates = tf.random.uniform([len(hidden)], 0.5, 1.5)
    starts = []

    def give(start, stop, before):
        # What it gave with the block before, zeros at first.
        expected = known[start - 1] if start else tf.zeros_like(bias)
        np.testing.assert_array_equal(before, expected)
        starts.append(int(start))
        return known[start:stop], known[stop - 1]

    with tf.GradientTape(persistent=True) as tape:
        sources = [hidden, kernel, bias, gates]
        tape.watch(sources)
        ours = softmax_loss(
            *(hidden, kernel, bias, columns, shares, weights),
            matmul_dtype=dtype,
            evidence=Evidence(gates, give),
        )
        logits = tf.matmul(hidden, kernel, transpose_b=True) + bias
        log_p = tf.nn.log_softmax(logits + gates[:, None] * known)
        told = tf.gather(log_p, columns, batch_dims=1)
        expected = -tf.reduce_sum(weights * tf.reduce_sum(shares * told, 1))
    assert starts == list(range(0, len(hidden), block))
    narrow = dtype == "bfloat16"
    np.testing.assert_allclose(ours, expected, rtol=0.02 if narrow else 1e-5)
    for a, b in zip(
        tape.gradient(ours, sources),
        tape.gradient(expected, sources),
        strict=True,
    ):
        if narrow:
            assert np.linalg.norm(a - b) < 0.02 * np.linalg.norm(b)
        else:
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
