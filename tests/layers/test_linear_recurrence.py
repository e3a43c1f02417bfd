"""Tests of the gated recurrence against a literal reading of its formula."""

import numpy as np
import tensorflow as tf

from tfrec.layers.linear_recurrence import (
    GatedRecurrence,
    RecurrentBlock,
    scan,
)

DIM, EXPANSION, KERNEL = 3, 2, 4


def built(layer):
    """Returns a layer whose weights are all random."""
    layer.build((None, None, DIM))
    for seed, weight in enumerate(layer.trainable_variables):
        noise = tf.random.stateless_normal(weight.shape, [seed, 1])
        weight.assign_add(0.3 * noise)
    return layer


def vectors() -> np.ndarray:
    return np.random.default_rng(0).normal(size=[2, 6, DIM]).astype("f4")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def recur(sequence, layer):
    """Reads one sequence position by position."""
    w_in, kernel, bias, w_gates, b_gates, w_out, forgetting = (
        weight.numpy()
        for weight in (
            layer.inputs_layer.kernel,
            *layer.convolution.trainable_variables,
            *layer.gates.trainable_variables,
            layer.output_layer.kernel,
            layer.forgetting,
        )
    )
    units = EXPANSION * DIM
    x, z = np.split(sequence @ w_in, 2, -1)
    h, found = np.zeros(units), []
    for t in range(len(sequence)):
        c = bias.copy()
        for k in range(KERNEL):
            if t - k >= 0:
                c += kernel[KERNEL - 1 - k, :, 0] * x[t - k]
        c *= sigmoid(c)
        r, i = np.split(sigmoid(c @ w_gates + b_gates), 2)
        alpha = np.exp(-np.log1p(np.exp(forgetting)) * r)
        h = alpha * h + np.sqrt(1 - alpha**2) * i * c
        found.append((z[t] * sigmoid(z[t]) * h) @ w_out)
    return np.array(found)


def normalise(x, layer):
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt(np.square(centred).mean(-1, keepdims=True))
    return scaled * layer.gamma.numpy() + layer.beta.numpy()


def test_a_state_is_that_of_the_formula():
    layer = built(GatedRecurrence(EXPANSION, KERNEL))
    expected = [recur(sequence, layer) for sequence in vectors()]
    np.testing.assert_allclose(layer(vectors()), expected, 1e-4, 1e-5)


def test_a_block_adds_its_parts_and_normalises():
    block = built(RecurrentBlock(EXPANSION, KERNEL, 0.9, 5))
    (w, b), (v, c) = (
        [x.numpy() for x in layer.trainable_variables]
        for layer in (block.hidden, block.output_layer)
    )
    expected = []
    for x in vectors():
        y = normalise(x + recur(x, block.recurrence), block.recurrence_norm)
        hidden = y @ w + b
        fed = (hidden * sigmoid(hidden)) @ v + c
        expected.append(normalise(y + fed, block.feed_norm))
    np.testing.assert_allclose(block(vectors()), expected, 1e-3, 1e-4)


def test_units_forget_from_soon_to_late():
    layer = GatedRecurrence(EXPANSION, KERNEL, 0.3)
    layer.build((None, None, DIM))
    kept = np.exp(-np.log1p(np.exp(layer.forgetting.numpy())))
    np.testing.assert_allclose(kept[[0, -1]], [0.3, 0.999], rtol=1e-4)
    assert (np.diff(kept) > 0).all()


def test_the_gradient_of_the_scan_is_that_of_its_steps():
    rng = np.random.default_rng(1)
    decays = tf.constant(rng.uniform(0.1, 1, [2, 5, 3]), tf.float32)
    inputs, upstream = (
        tf.constant(rng.normal(size=[2, 5, 3]), tf.float32) for _ in range(2)
    )
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([decays, inputs])
        ours = scan(decays, inputs)
        h, steps = tf.zeros([2, 3]), []
        for t in range(5):
            h = decays[:, t] * h + inputs[:, t]
            steps.append(h)
        expected = tf.stack(steps, 1)
    np.testing.assert_allclose(ours, expected, rtol=1e-5)
    for wrt in (decays, inputs):
        np.testing.assert_allclose(
            tape.gradient(ours, wrt, upstream),
            tape.gradient(expected, wrt, upstream),
            rtol=1e-4,
            atol=1e-6,
        )


def test_dropout_is_on_in_training_alone():
    block = built(RecurrentBlock(EXPANSION, KERNEL, 0.9, 5, dropout=0.5))
    x = vectors()
    np.testing.assert_array_equal(block(x), block(x))
    assert np.abs(block(x, training=True) - block(x)).max() > 0.01


def test_a_unit_that_forgets_nothing_has_a_gradient():
    layer = built(GatedRecurrence(EXPANSION, KERNEL))
    layer.forgetting.assign(-200 * tf.ones_like(layer.forgetting))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(vectors()))
    for gradient in tape.gradient(total, layer.trainable_variables):
        assert np.isfinite(gradient).all()
