"""Tests of planar flows whose parameters are functions of a state."""

import numpy as np
import pytest
import tensorflow as tf

from tfrec.layers.amortized_flows import AmortizedFlows


def made(flows=3, dim=4, units=5, spread=0.0) -> AmortizedFlows:
    """Returns a built layer.

    Args:
        flows: Number of flows.
        dim: Size of the latent.
        units: Size of the states.
        spread: How much the parameters depend on the states.
    """
    layer = AmortizedFlows(flows, dim)
    layer.build((None, units))
    kernel = layer.parameters.kernel
    kernel.assign(spread * tf.random.stateless_normal(kernel.shape, [1, 2]))
    return layer


@pytest.fixture(name="latent")
def _latent():
    return tf.random.stateless_normal([6, 4], [3, 4])


@pytest.fixture(name="states")
def _states():
    return tf.random.stateless_normal([6, 5], [5, 6])


def test_it_computes_what_the_bijectors_of_its_states_compute(latent, states):
    layer = made(spread=0.7)
    bent, log_det = layer(latent, states)
    expected, total = latent, 0.0
    for flow in layer.of_states(states):
        total += flow.forward_log_det_jacobian(expected, 1)
        expected = flow.forward(expected)
    np.testing.assert_allclose(bent, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(log_det, total, rtol=1e-4, atol=1e-5)


def test_each_state_bends_in_its_own_way(states):
    latent = tf.ones([6, 4])
    bent, _ = made(spread=0.7)(latent, states)
    assert np.unique(np.round(bent, 4), axis=0).shape == (6, 4)
    same, _ = made()(latent, states)
    assert np.unique(np.round(same, 4), axis=0).shape == (1, 4)


def test_they_start_near_the_identity_with_gradients(latent, states):
    layer = made(flows=16)
    with tf.GradientTape() as tape:
        bent, log_det = layer(latent, states)
        loss = tf.reduce_sum(bent**2) - tf.reduce_sum(log_det)
    assert tf.norm(bent - latent) < 0.3 * tf.norm(latent)
    assert np.abs(log_det).max() < 1.0
    for gradient in tape.gradient(loss, layer.trainable_variables):
        assert np.abs(gradient).min() > 0


def test_any_leading_dimensions(latent, states):
    layer = made(spread=0.7)
    shape = lambda x: tf.reshape(x, [2, 3, -1])  # noqa: E731
    bent, log_det = layer(shape(latent), shape(states))
    flat, flat_log_det = layer(latent, states)
    np.testing.assert_allclose(bent, shape(flat), rtol=1e-6)
    np.testing.assert_allclose(
        log_det, tf.reshape(flat_log_det, [2, 3]), rtol=1e-6
    )
