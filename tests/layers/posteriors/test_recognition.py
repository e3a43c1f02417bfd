"""Tests of the posterior that sees what comes: what it reads and starts as."""

import numpy as np
import pytest
import tensorflow as tf

from tfrec.layers.posteriors import Recognition


def test_it_sees_the_state_and_the_mean_of_what_came():
    states = tf.constant([[1.0, 2.0]] * 3)
    vectors = tf.constant([[[1.0], [5.0], [9.0]]] * 3)
    came = tf.constant([[1, 1, 1], [1, 1, 0], [0, 0, 0]]) > 0
    seen = Recognition.see(states, vectors, came)
    # Where nothing came, zero and no NaN.
    np.testing.assert_allclose(
        seen, [[1.0, 2.0, 5.0], [1.0, 2.0, 3.0], [1.0, 2.0, 0.0]], rtol=1e-6
    )
    low = (tf.cast(x, tf.bfloat16) for x in (states, vectors))
    seen_low = Recognition.see(*low, came)
    assert seen_low.dtype == tf.float32
    np.testing.assert_allclose(seen_low, seen, rtol=1e-6)


@pytest.mark.parametrize("units", [0, 5])
def test_it_starts_as_the_prior_and_learns_to_read(units):
    layer = Recognition(2, flows=0, amortized=True, units=units)
    layer.build((None, 3))
    seen = tf.random.stateless_normal([4, 3], [1, 2])
    noise = tf.random.stateless_normal([4, 2], [3, 4])
    draw = layer(seen, noise)
    np.testing.assert_array_equal(draw.latent, noise)
    np.testing.assert_allclose(draw.kl, np.zeros(4), atol=1e-6)
    with tf.GradientTape() as tape:
        size = tf.reduce_sum(layer(seen, noise + 1.0).latent ** 2)
    kernel = layer.mean.kernel.value
    assert kernel.shape == (units or 3, 2)
    assert np.abs(tape.gradient(size, kernel)).min() > 0


def test_near_it_with_flows():
    layer = Recognition(8, flows=4, amortized=True)
    layer.build((None, 3))
    noise = tf.random.stateless_normal([2000, 8], [3, 4])
    draw = layer(tf.zeros([2000, 3]), noise)
    assert 0 < tf.reduce_mean(tf.abs(draw.latent - noise)) < 0.2
    assert abs(tf.reduce_mean(draw.kl)) < 0.2
