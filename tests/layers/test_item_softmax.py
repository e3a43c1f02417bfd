"""Tests of the softmax over items."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrec.layers.item_softmax import ItemSoftmax


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
