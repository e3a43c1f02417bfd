"""Tests of the causal convolution."""

import numpy as np
import pytest
import tensorflow as tf

from tfrec.layers.causal_convolution import CausalConvolution


@pytest.mark.parametrize("size", [1, 3, 5, 9])
def test_output_and_gradient_equal_a_padded_convolution(size):
    inputs = tf.random.normal([2, 7, 3])
    layer = CausalConvolution(4, size)
    layer.build(inputs.shape)
    upstream = tf.random.normal([2, 7, 4])
    filters = tf.reshape(layer.kernel, [size, 3, 4])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(inputs)
        ours = layer(inputs)
        padded = tf.pad(inputs, [[0, 0], [size - 1, 0], [0, 0]])
        expected = tf.nn.conv1d(padded, filters, 1, "VALID") + layer.bias
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        tape.gradient(ours, inputs, upstream),
        tape.gradient(expected, inputs, upstream),
        rtol=1e-4,
        atol=1e-5,
    )


def test_output_sees_its_window_and_nothing_else():
    layer = CausalConvolution(2, 3)
    layer.build((None, None, 1))
    inputs = tf.random.normal([1, 8, 1])
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        fifth = tf.reduce_sum(layer(inputs)[:, 5])
    seen = np.flatnonzero(np.squeeze(tape.gradient(fifth, inputs)))
    assert seen.tolist() == [3, 4, 5]
