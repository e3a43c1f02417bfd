"""Tests of the flow posterior: its KL divergence and its noise."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrec.layers.posteriors import FlowPosterior


@pytest.fixture(name="hidden")
def _hidden():
    return tf.constant(np.random.default_rng(0).normal(size=[2, 5]), tf.float32)


def gaussian(hidden, scale=0.7) -> FlowPosterior:
    """Returns a posterior without flows, built."""
    layer = FlowPosterior(3, flows=0)
    layer.build(hidden.shape)
    layer.log_scale.bias.assign(tf.fill([3], np.log(scale)))
    return layer


def repeated(hidden, times=40_000):
    """Returns states `[times, 2, units]` and noise for a latent of 3."""
    hidden = tf.tile(hidden[None], [times, 1, 1])
    return hidden, tf.random.stateless_normal([times, 2, 3], [1, 2])


def test_without_flows_the_kl_is_that_of_gaussians(hidden):
    layer = gaussian(hidden)
    mean = layer.mean(hidden)
    exact = tf.reduce_sum(0.5 * (mean**2 + 0.7**2 - 1.0) - np.log(0.7), axis=-1)
    sample = layer(*repeated(hidden))
    np.testing.assert_allclose(
        tf.reduce_mean(sample.kl, 0), exact, rtol=0.02, atol=0.02
    )
    np.testing.assert_array_equal(
        sample.extras["log_det"], np.zeros([40_000, 2])
    )


def test_the_kl_is_never_negative_on_average(hidden):
    # E_q[log q - log p] >= 0 whatever the flows: with the log-determinant's
    # sign reversed, as eq. 9 prints it, these flows would bring it below.
    layer = FlowPosterior(3, flows=4)
    layer.build(hidden.shape)
    layer.mean.kernel.assign(0.0 * layer.mean.kernel)
    layer.log_scale.bias.assign(tf.zeros([3]))
    keras.utils.set_random_seed(0)
    for sign in (3.0, -3.0):
        for variable in layer.flows.trainable_variables:
            variable.assign(sign * keras.random.normal(variable.shape))
        sample = layer(*repeated(hidden))
        assert np.abs(sample.extras["log_det"]).mean() > 0.1
        assert tf.reduce_min(tf.reduce_mean(sample.kl, 0)) > 0.0


def test_it_draws_in_float32_under_a_bfloat16_policy(hidden):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layer = FlowPosterior(3, flows=2)
        layer.build(hidden.shape)
    finally:
        keras.config.set_dtype_policy(before)
    narrow, noise = tf.cast(hidden, tf.bfloat16), tf.ones([2, 3])
    found = layer(narrow, noise)
    wide = layer(tf.cast(narrow, tf.float32), noise)
    for result, expected in zip(
        tf.nest.flatten(found), tf.nest.flatten(wide), strict=True
    ):
        assert result.dtype == tf.float32
        np.testing.assert_array_equal(result, expected)


def test_no_noise_gives_the_transformed_mean(hidden):
    layer = FlowPosterior(3, flows=2)
    layer.build(hidden.shape)
    expected, log_det = layer.flows(layer.mean(hidden))
    sample = layer(hidden, None)
    np.testing.assert_allclose(sample.latent, expected, rtol=1e-6)
    np.testing.assert_allclose(sample.extras["log_det"], log_det, rtol=1e-6)
