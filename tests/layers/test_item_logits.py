"""Tests of the scores of items."""

import numpy as np
import pytest
import tensorflow as tf

from tfrec.layers import item_logits
from tfrec.layers.item_embedding import ItemEmbedding
from tfrec.layers.item_logits import ItemLogits

DIM = 4


def embedding_of(num_items, reserved=0) -> ItemEmbedding:
    """Returns a built embedding."""
    embedding = ItemEmbedding(
        num_items, DIM, reserved, embeddings_initializer="normal"
    )
    embedding.build((None, None))
    return embedding


def made(num_items, **options) -> ItemLogits:
    """Returns a built layer with biases."""
    layer = ItemLogits(num_items, **options)
    layer.build((None, DIM))
    layer.bias.assign(tf.random.normal([num_items]))
    return layer


def test_scores_are_logarithms_of_a_softmax_of_products_and_biases():
    layer, hidden = made(6), tf.random.normal([2, DIM])
    kernel, bias = layer.own_kernel.numpy(), layer.bias.numpy()
    odds = np.exp(hidden.numpy() @ kernel.T + bias)
    expected = np.log(odds / odds.sum(1, keepdims=True))
    np.testing.assert_allclose(layer(hidden), expected, rtol=1e-4, atol=1e-5)


def test_tied_vectors_are_the_embedding_and_are_counted_once():
    embedding = embedding_of(6)
    layer = made(6, embedding=embedding)
    np.testing.assert_array_equal(layer.kernel, embedding.embeddings[1:])
    assert [v.name for v in layer.variables] == ["bias"]


@pytest.mark.parametrize("cosine_scale", [0.0, 16.0])
def test_reserved_rows_of_a_tied_embedding_are_never_scored(cosine_scale):
    embedding = embedding_of(6, reserved=2)
    layer = made(6, embedding=embedding, cosine_scale=cosine_scale)
    hidden, columns = tf.random.normal([3, DIM]), tf.range(6)

    def scores():
        return (
            layer(hidden),
            layer.logits(hidden, 0)[:, :6],
            layer.vectors(columns),
            layer.kernel,
        )

    before = scores()
    assert before[0].shape == (3, 6)
    np.testing.assert_array_equal(before[2], before[3])
    rows = embedding.embeddings.numpy()
    # Padding and the reserved rows.
    rows[[0, 7, 8]] = 100.0
    embedding.embeddings.assign(rows)
    for old, new in zip(before, scores(), strict=True):
        np.testing.assert_array_equal(old, new)
    with layer.read_only():
        np.testing.assert_allclose(layer(hidden), before[0], rtol=1e-5)


def test_without_biases_scores_are_of_products_alone():
    layer, hidden = ItemLogits(6, use_bias=False), tf.random.normal([2, DIM])
    layer.build((None, DIM))
    assert [v.name for v in layer.trainable_variables] == ["kernel"]
    products = hidden @ tf.transpose(layer.own_kernel)
    np.testing.assert_allclose(layer(hidden), tf.nn.log_softmax(products), 1e-5)
    np.testing.assert_allclose(layer.logits(hidden, 0)[:, :6], products, 1e-5)


def test_biases_start_at_popularity():
    layer = made(3)
    layer.start_at(tf.constant([9.0, 0.0, 99.0]))
    odds = np.exp(layer(tf.zeros([1, DIM])))[0]
    np.testing.assert_allclose(odds, np.array([10, 1, 100]) / 111, rtol=1e-4)


@pytest.mark.parametrize("cosine_scale", [0.0, 16.0])
@pytest.mark.parametrize("tied", [True, False])
def test_a_read_only_copy_gives_the_same_and_follows_no_weight(
    tied, cosine_scale
):
    embedding = embedding_of(9)
    layer = made(
        9, embedding=embedding if tied else None, cosine_scale=cosine_scale
    )
    hidden = tf.random.normal([3, DIM])
    expected = layer(hidden)
    with layer.read_only():
        np.testing.assert_allclose(layer(hidden), expected, rtol=1e-5)
        table = embedding.embeddings if tied else layer.own_kernel
        table.assign(tf.random.normal(table.shape))
        np.testing.assert_allclose(layer(hidden), expected, rtol=1e-5)
    assert np.abs(layer(hidden) - expected).max() > 1e-2


def test_tiles_of_logits_are_those_of_the_softmax(monkeypatch):
    monkeypatch.setattr(item_logits, "_TILE", 100)
    layer = made(150, cosine_scale=3.0)
    hidden = tf.random.normal([6, DIM])
    assert layer.tile == 128
    logits = [layer.logits(hidden, start) for start in (0, 128)]
    np.testing.assert_array_equal(logits[1][:, 22:], logits[1][:, 21:-1])
    np.testing.assert_allclose(
        tf.nn.log_softmax(tf.concat(logits, 1)[:, :150]),
        layer(hidden),
        rtol=1e-5,
        atol=1e-5,
    )
