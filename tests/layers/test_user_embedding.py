"""Tests of the vectors of users."""

import numpy as np
import tensorflow as tf

from tfrec.layers.user_embedding import UserEmbedding


def made(num_users: int) -> UserEmbedding:
    """Returns a built layer with random vectors."""
    layer = UserEmbedding(num_users, 3)
    layer.build((None,))
    layer.embeddings.assign(tf.random.normal([1 + num_users, 3]))
    return layer


def test_an_unknown_user_is_the_mean_of_all():
    layer = made(4)
    vectors = layer.embeddings.numpy()
    found = layer(tf.constant([2, 0, 4]))
    expected = [vectors[2], vectors[1:].mean(0), vectors[4]]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_gradient_has_the_rows_of_the_batch_alone():
    layer = made(4)
    with tf.GradientTape() as tape:
        found = tf.reduce_sum(layer(tf.constant([2, 0, 4])))
    gradient = tape.gradient(found, layer.embeddings.value)
    assert isinstance(gradient, tf.IndexedSlices)
    dense = tf.convert_to_tensor(gradient).numpy()
    np.testing.assert_array_equal(dense.sum(1), [0, 0, 3, 0, 3])


def test_without_users_all_are_one_who_learns():
    layer = made(0)
    with tf.GradientTape() as tape:
        found = layer(tf.constant([0, 7]))
    np.testing.assert_array_equal(found[0], layer.embeddings[0])
    np.testing.assert_array_equal(found[1], layer.embeddings[0])
    gradient = tape.gradient(found, layer.embeddings.value)
    np.testing.assert_array_equal(tf.convert_to_tensor(gradient), [[2, 2, 2]])
