"""Tests of the softmax over items and its blocked loss."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrec.layers import item_softmax
from tfrec.layers.item_softmax import ItemSoftmax, softmax_loss


def reference(hidden, kernel, bias, columns, shares, weights, smoothing):
    """The loss in one piece, by TensorFlow's own operations."""
    logits = tf.matmul(hidden, kernel, transpose_b=True) + bias
    size = kernel.shape[0]
    target = tf.reduce_sum(tf.one_hot(columns, size) * shares[..., None], 1)
    target = (1 - smoothing) * target + smoothing / size
    log_p = tf.nn.log_softmax(logits)
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


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_blocked_loss_and_gradients_equal_the_plain_ones(
    smoothing, monkeypatch
):
    monkeypatch.setattr(item_softmax, "_BLOCK", 16)
    inputs = problem()
    sources = list(inputs[:3])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(sources)
        # A factor checks that the gradient follows what comes after the loss.
        ours = 3.0 * softmax_loss(*inputs, smoothing)
        expected = 3.0 * reference(*inputs, smoothing)
    np.testing.assert_allclose(ours, expected, rtol=1e-5)
    for a, b in zip(
        tape.gradient(ours, sources),
        tape.gradient(expected, sources),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_bfloat16_products_stay_near_float32():
    inputs = problem()
    exact = softmax_loss(*inputs)
    near = softmax_loss(*inputs, matmul_dtype="bfloat16")
    assert near != exact
    np.testing.assert_allclose(near, exact, rtol=2e-2)


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
    layer = ItemSoftmax(6)
    layer.build((None, 4))
    hidden = tf.random.normal([1, 4])
    pair = layer.loss(hidden, tf.constant([[2, 5, 0]]), tf.ones([1]))
    log_p = layer(hidden)[0]
    np.testing.assert_allclose(pair, -(log_p[1] + log_p[4]) / 2, rtol=1e-5)


def test_tied_vectors_are_the_embedding_and_are_counted_once():
    embedding = keras.layers.Embedding(7, 4)
    embedding.build((None, None))
    layer = ItemSoftmax(6, embedding=embedding)
    layer.build((None, 4))
    np.testing.assert_array_equal(layer.kernel, embedding.embeddings[1:])
    assert [v.name for v in layer.variables] == ["bias"]


def test_biases_start_at_popularity():
    layer = ItemSoftmax(3)
    layer.build((None, 4))
    layer.start_at(tf.constant([9.0, 0.0, 99.0]))
    odds = np.exp(layer(tf.zeros([1, 4])))[0]
    np.testing.assert_allclose(odds, np.array([10, 1, 100]) / 111, rtol=1e-4)


@pytest.mark.parametrize("cosine_scale", [0.0, 16.0])
@pytest.mark.parametrize("tied", [True, False])
def test_a_read_only_copy_gives_the_same_and_follows_no_weight(
    tied, cosine_scale
):
    embedding = keras.layers.Embedding(10, 4)
    embedding.build((None,))
    softmax = ItemSoftmax(
        9, embedding=embedding if tied else None, cosine_scale=cosine_scale
    )
    softmax.build((None, 4))
    hidden = tf.random.normal([3, 4])
    expected = softmax(hidden)
    with softmax.read_only():
        np.testing.assert_allclose(softmax(hidden), expected, rtol=1e-5)
        table = embedding.embeddings if tied else softmax.own_kernel
        table.assign(tf.random.normal(table.shape))
        np.testing.assert_allclose(softmax(hidden), expected, rtol=1e-5)
    assert np.abs(softmax(hidden) - expected).max() > 1e-2
