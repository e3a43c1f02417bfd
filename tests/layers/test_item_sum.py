"""Tests of the layer that reads bags of items against a dense product."""

import numpy as np
import tensorflow as tf

from tfrec.layers.item_sum import ItemSum

ITEMS = tf.constant([[3, 1, 0, 5], [0, 0, 0, 0], [2, 2, 0, 0]])
# What the rows are as vectors of five items.
DENSE = np.float32([[1, 0, 1, 0, 1], [0, 0, 0, 0, 0], [0, 2, 0, 0, 0]])


def layer(**changes) -> ItemSum:
    made = ItemSum(5, 4, **changes)
    made.build((None, None))
    if made.use_bias:
        made.bias.assign([0.1, -0.2, 0.3, 0.4])
    return made


def test_it_is_a_dense_layer_of_bags():
    net = layer(activation="tanh")
    expected = np.tanh(DENSE @ net.kernel.numpy() + net.bias.numpy())
    np.testing.assert_allclose(net(ITEMS), expected, rtol=1e-5)
    np.testing.assert_allclose(net.product(DENSE), expected, rtol=1e-5)


def test_a_scale_multiplies_the_input():
    net, scale = layer(), np.float32([[0.5], [2.0], [-1.0]])
    np.testing.assert_allclose(
        net(ITEMS, scale), net.product(scale * DENSE), rtol=1e-5, atol=1e-7
    )


def test_without_bias_nothing_gives_zero():
    net = layer(use_bias=False)
    assert len(net.trainable_weights) == 1
    np.testing.assert_array_equal(net(ITEMS)[1], 0.0)


def test_no_rows_are_answered():
    assert layer()(tf.zeros([0, 3], tf.int32)).shape == (0, 4)
    assert layer()(tf.zeros([2, 0], tf.int32)).shape == (2, 4)


def test_its_gradient_is_that_of_the_product():
    net = layer(activation="tanh")
    with tf.GradientTape(persistent=True) as tape:
        one = tf.reduce_sum(tf.square(net(ITEMS)))
        two = tf.reduce_sum(tf.square(net.product(DENSE)))
    for variable in net.trainable_weights:
        np.testing.assert_allclose(
            tf.convert_to_tensor(tape.gradient(one, variable)),
            tape.gradient(two, variable),
            rtol=1e-5,
        )
