"""Tests of K planar flows as a layer."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.layers.test_planar_flow import random_flows
from tfrec.layers.planar_flow import PlanarFlow, PlanarFlows
from tfrec.training.strategy import make_strategy


def gradients(run, layer, latent):
    """Returns those of a function of z_K and the log-det."""
    with tf.GradientTape() as tape:
        tape.watch(latent)
        bent, log_det = run(latent)
        loss = tf.reduce_sum(bent**2) - tf.reduce_sum(log_det)
    return tape.gradient(loss, [latent, *(v.value for v in layer.weights)])


def test_layer_computes_what_its_bijector_computes():
    layer, latent = random_flows(7, 5), tf.random.normal([40, 5])

    def by_bijector(latent):
        chain = layer.bijector
        return chain.forward(latent), chain.forward_log_det_jacobian(latent, 1)

    for ours, expected in zip(
        layer(latent) + tuple(gradients(layer, layer, latent)),
        by_bijector(latent) + tuple(gradients(by_bijector, layer, latent)),
        strict=True,
    ):
        np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-4)


def test_flows_apply_from_the_first_to_the_last():
    layer, latent = random_flows(3, 2), tf.random.normal([9, 2])
    expected, total = latent, 0.0
    for w, u, b in zip(*layer.get_weights(), strict=True):
        flow = PlanarFlow(w, u, b)
        total += flow.forward_log_det_jacobian(expected, 1)
        expected = flow.forward(expected)
    bent, log_det = layer(latent)
    np.testing.assert_allclose(bent, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(log_det, total, rtol=1e-4, atol=1e-5)


def test_any_leading_dimensions_run_through_one_traced_function():
    layer = random_flows(3, 4)
    traced = tf.function(
        layer, input_signature=[tf.TensorSpec([None, None, 4])]
    )
    latent = tf.random.normal([2, 5, 4])
    bent, log_det = traced(latent)
    assert bent.shape == (2, 5, 4) and log_det.shape == (2, 5)
    one, its_log_det = layer(latent[1, 3])
    np.testing.assert_allclose(bent[1, 3], one, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(log_det[1, 3], its_log_det, atol=1e-5)


def test_no_flows_are_the_identity():
    layer, latent = PlanarFlows(0), tf.random.normal([2, 3, 4])
    bent, log_det = layer(latent)
    np.testing.assert_array_equal(bent, latent)
    np.testing.assert_array_equal(log_det, np.zeros([2, 3]))
    np.testing.assert_array_equal(layer.bijector.forward(latent), latent)
    assert layer.weights == []


@pytest.mark.parametrize("dim", [2, 100])
def test_flows_start_near_the_identity_with_gradients(dim):
    layer, latent = PlanarFlows(16), tf.random.normal([200, dim])
    bent, log_det = layer(latent)
    assert tf.norm(bent - latent) < 0.3 * tf.norm(latent)
    assert np.abs(log_det).max() < 1.0
    for gradient in gradients(layer, layer, latent):
        assert np.abs(gradient).min() > 0


def test_flows_stay_in_float32_under_a_bfloat16_policy():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("bfloat16")
    try:
        layer, latent = random_flows(16, 8), tf.random.normal([20, 8])
        narrow = tf.cast(latent, tf.bfloat16)
        results = layer(narrow)
    finally:
        keras.config.set_dtype_policy(before)
    assert {v.dtype for v in layer.weights} == {"float32"}
    for result, expected in zip(
        results, layer(tf.cast(narrow, tf.float32)), strict=True
    ):
        assert result.dtype == tf.float32
        np.testing.assert_array_equal(result, expected)


def test_two_devices_add_up_to_the_gradients_of_one():
    latent = tf.random.normal([6, 4])
    strategy = make_strategy("mirrored")
    with strategy.scope():
        layer = random_flows(3, 4)

    @tf.function
    def step(latent):
        with tf.GradientTape() as tape:
            bent, log_det = layer(latent)
            loss = tf.reduce_sum(bent**2) - tf.reduce_sum(log_det)
        found = tape.gradient(loss, [v.value for v in layer.weights])
        replica = tf.distribute.get_replica_context()
        return replica.all_reduce("sum", found)

    halves = strategy.experimental_distribute_values_from_function(
        lambda context: tf.split(latent, 2)[context.replica_id_in_sync_group]
    )
    total = strategy.run(step, [halves])
    expected = gradients(layer, layer, latent)[1:]
    for two, one in zip(total, expected, strict=True):
        for replica in strategy.experimental_local_results(two):
            np.testing.assert_allclose(replica, one, rtol=1e-4, atol=1e-5)


def test_a_saved_model_loads_with_the_same_flows(tmp_path):
    inputs = keras.Input([4])
    model = keras.Model(inputs, random_flows(3, 4)(inputs))
    latent = tf.random.normal([6, 4])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(
        tmp_path / "model.keras", {"PlanarFlows": PlanarFlows}
    )
    model.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(tmp_path / "served")
    for result in (loaded(latent), served.serve(latent)):
        for value, expected in zip(result, model(latent), strict=True):
            np.testing.assert_allclose(value, expected, 1e-5, 1e-6)
    graph = served.signatures["serving_default"].graph
    assert not [op for op in graph.get_operations() if "Py" in op.type]


@pytest.mark.parametrize("weight", ["w", "u", "b"])
def test_a_flow_that_is_not_finite_makes_the_log_determinant_so(weight):
    layer, latent = random_flows(5, 4), tf.random.normal([6, 4])
    broken = getattr(layer, weight)
    values = broken.numpy()
    values[2:] = np.nan
    broken.assign(values)
    # What ends a training, as any term does that is no number.
    _, log_det = layer(latent)
    assert np.isnan(log_det).all()
