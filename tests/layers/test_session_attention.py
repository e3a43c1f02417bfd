"""Tests of the additive attention in one causal pass."""

import numpy as np
import tensorflow as tf

from tfrec.layers.session_attention import SessionAttention, attend


def drawn(*shapes):
    """Returns float64 normal draws, one for each shape."""
    rng = np.random.default_rng(0)
    return [tf.constant(rng.normal(size=shape)) for shape in shapes]


def all_pairs(hidden, query, key, weigh):
    """The formula, with every pair of positions in memory."""
    gate = tf.sigmoid(query[:, :, None] + key[:, None])
    weights = tf.linalg.band_part(tf.tensordot(gate, weigh, 1), -1, 0)
    return weights @ hidden


def test_it_is_the_formula_with_its_gradients():
    inputs = drawn([3, 5, 4], [3, 5, 4], [3, 5, 4], [4])
    [upstream] = drawn([3, 5, 4])
    results = []
    for function in (attend, all_pairs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value = function(*inputs)
        gradients = tape.gradient(value, inputs, upstream)
        results.append([value, *gradients])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


def test_others_may_ask_as_in_stamp():
    layer = SessionAttention(use_bias=True)
    layer.build((None, None, 4), (None, None, 7))
    hidden, queries, bias = (
        tf.cast(x, tf.float32) for x in drawn([2, 5, 4], [2, 5, 7], [4])
    )
    layer.bias.assign(bias)
    found = layer(hidden, queries)
    expected = all_pairs(
        hidden, queries @ layer.query + bias, hidden @ layer.key, layer.weigh
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_future_states_do_not_change_past_vectors():
    layer = SessionAttention()
    [hidden] = drawn([2, 6, 4])
    hidden = tf.cast(hidden, tf.float32)
    changed = tf.concat([hidden[:, :4], hidden[:, 4:] + 1.0], 1)
    before, after = layer(hidden), layer(changed)
    np.testing.assert_array_equal(before[:, :4], after[:, :4])
    assert np.abs(before - after)[:, 4:].max() > 1e-3


def test_no_array_grows_with_the_square_of_the_length():
    length = 37

    @tf.function
    def step(hidden, query, key, weigh):
        with tf.GradientTape() as tape:
            tape.watch(hidden)
            value = attend(hidden, query, key, weigh)
        return tape.gradient(value, hidden)

    spec = tf.TensorSpec([2, length, 4])
    graph = step.get_concrete_function(spec, spec, spec, tf.TensorSpec([4]))
    functions = [graph.graph, *graph.graph._functions.values()]
    shapes = [
        output.shape
        for function in functions
        for operation in getattr(function, "graph", function).get_operations()
        for output in operation.outputs
    ]
    assert shapes
    assert not any(
        shape.rank and list(shape).count(length) > 1 for shape in shapes
    )
