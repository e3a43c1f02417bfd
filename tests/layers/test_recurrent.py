"""Tests of the GRU with a hand-written gradient."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrec.layers.recurrent import GRU


def pair(units: int, shape: tuple[int, ...]) -> tuple[GRU, keras.layers.GRU]:
    """Returns our GRU and Keras's with the same random weights."""
    ours = GRU(units)
    theirs = keras.layers.GRU(units, return_sequences=True)
    generator = np.random.default_rng(3)
    for layer in (ours, theirs):
        layer.build(shape)
    weights = [generator.normal(size=w.shape) * 0.4 for w in ours.weights]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    return ours, theirs


@pytest.mark.parametrize("start", [None, 0.7])
@pytest.mark.parametrize("training", [True, False])
def test_states_and_gradients_equal_those_of_keras(training, start):
    inputs = tf.random.normal([3, 11, 5])
    initial = {}
    if start:
        initial = {"initial_state": start * tf.random.normal([3, 7])}
    upstream = tf.random.normal([3, 11, 7])
    results = []
    for layer in pair(7, inputs.shape):

        @tf.function
        def run(inputs, layer=layer):
            with tf.GradientTape() as tape:
                tape.watch([inputs, *initial.values()])
                states = layer(inputs, training=training, **initial)
            sources = [inputs, *initial.values()]
            sources += [v.value for v in layer.trainable_variables]
            gradients = tape.gradient(states, sources, upstream)
            return [states, *gradients]

        results.append(run(inputs))
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_future_inputs_do_not_change_past_states():
    layer, _ = pair(4, (None, None, 3))
    inputs = np.random.default_rng(0).normal(size=[2, 6, 3]).astype("float32")
    before = layer(inputs)
    inputs[:, 4:] += 1.0
    after = layer(inputs)
    np.testing.assert_array_equal(before[:, :4], after[:, :4])
    assert np.abs(before[:, 4:] - after[:, 4:]).max() > 1e-3


@pytest.mark.parametrize("training", [True, False])
def test_any_length_runs_through_one_traced_function(training):
    layer, theirs = pair(4, (None, None, 3))

    @tf.function(input_signature=[tf.TensorSpec([None, None, 3])])
    def traced(inputs):
        return layer(inputs, training=training)

    for length in (1, 5, 8, 17):
        inputs = tf.random.normal([2, length, 3])
        np.testing.assert_allclose(traced(inputs), theirs(inputs), atol=1e-6)
