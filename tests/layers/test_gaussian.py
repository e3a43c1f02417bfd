"""Tests of Gaussians against the formula and against sampling."""

import numpy as np
import tensorflow as tf

from tfrec.layers.gaussian import Gaussian

GAUSSIAN = Gaussian(
    tf.constant([[0.5, -1.0], [0.0, 2.0]]),
    tf.constant([[0.2, -3.0], [0.0, 1.0]]),
)


def test_a_layer_gives_mean_and_log_variance():
    found = Gaussian.of(tf.constant([[1.0, 2.0, 3.0, 4.0]]))
    np.testing.assert_array_equal(found.mean, [[1.0, 2.0]])
    np.testing.assert_array_equal(found.log_variance, [[3.0, 4.0]])


def test_densities_are_those_of_the_formula():
    values = np.float32([[0.0, 0.3], [1.0, 1.0]])
    mean, variance = GAUSSIAN.mean.numpy(), np.exp(GAUSSIAN.log_variance)
    density = np.exp(-((values - mean) ** 2) / (2 * variance))
    density /= np.sqrt(2 * np.pi * variance)
    np.testing.assert_allclose(
        GAUSSIAN.log_densities(values), np.log(density), rtol=1e-5
    )


def test_the_kl_is_the_mean_log_ratio_of_its_draws():
    noise = tf.random.stateless_normal([20_000, 2, 2], [1, 2])
    draws = GAUSSIAN.at(noise)
    standard = Gaussian(tf.zeros([2]), tf.zeros([2]))
    ratio = GAUSSIAN.log_densities(draws) - standard.log_densities(draws)
    each = tf.reduce_sum(ratio, -1).numpy()
    error = each.std(0) / np.sqrt(len(each))
    assert (np.abs(each.mean(0) - GAUSSIAN.kl()) < 4 * error).all()
