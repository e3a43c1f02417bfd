"""Tests of ReLaVaR's recurrent posterior: what is drawn goes on."""

import numpy as np
import pytest
import tensorflow as tf

from tfrec.layers.posteriors import RecurrentPosterior


@pytest.fixture(name="layer")
def _layer():
    made = RecurrentPosterior(4, initial_scale=0.5)
    made.build((None, None, 3))
    kernel = made.log_scale.kernel
    kernel.assign(0.3 * tf.random.stateless_normal(kernel.shape, [1, 2]))
    return made


def normal(*shape, seed=0):
    return tf.random.stateless_normal(shape, [seed, 7])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_a_draw_is_the_state_that_the_next_step_reads(layer):
    x, eps = normal(2, 5, 3), normal(2, 5, 4, seed=1)
    kernel, recurrent, bias = (w.numpy() for w in layer.gru.weights)
    scale_kernel, scale_bias = (w.numpy() for w in layer.log_scale.weights)
    z, drawn, kl = np.zeros([2, 4]), [], []
    for t in range(5):
        read = np.split(x[:, t].numpy() @ kernel + bias[0], 3, 1)
        went_on = np.split(z @ recurrent + bias[1], 3, 1)
        update, reset = (sigmoid(read[i] + went_on[i]) for i in (0, 1))
        candidate = np.tanh(read[2] + reset * went_on[2])
        mean = update * z + (1 - update) * candidate
        scale = np.exp(np.tanh(mean) @ scale_kernel + scale_bias)
        z = mean + scale * eps[:, t].numpy()
        drawn.append(z)
        each = 0.5 * (mean**2 + scale**2 - 1) - np.log(scale)
        kl.append(each.sum(1))
    found = layer(x, eps)
    np.testing.assert_allclose(found.latent, np.stack(drawn, 1), rtol=1e-4)
    np.testing.assert_allclose(found.kl, np.stack(kl, 1), rtol=1e-4)


def test_without_noise_it_is_a_gru(layer):
    x = normal(2, 5, 3)
    means = layer(x, None)
    np.testing.assert_allclose(means.latent, layer.gru(x), atol=1e-6)
    zeros = layer(x, tf.zeros([2, 5, 4]))
    np.testing.assert_allclose(means.latent, zeros.latent, atol=1e-6)
    np.testing.assert_allclose(means.kl, zeros.kl, rtol=1e-5)


def test_the_kl_is_the_mean_over_draws_of_log_q_less_log_p(layer):
    x = tf.tile(normal(1, 1, 3), [40_000, 1, 1])
    eps = normal(40_000, 1, 4, seed=1)
    draw = layer(x, eps)
    mean = layer(x, None).latent
    scale = (draw.latent - mean) / eps
    log_q = -0.5 * eps**2 - tf.math.log(scale)
    each = tf.reduce_sum(log_q + 0.5 * draw.latent**2, -1)
    assert np.ptp(draw.kl) < 1e-4
    np.testing.assert_allclose(tf.reduce_mean(each), draw.kl[0, 0], rtol=0.02)


def test_later_items_and_draws_change_no_latent_and_earlier_ones_do(layer):
    x, eps = normal(1, 6, 3).numpy(), normal(1, 6, 4, seed=1).numpy()
    before = layer(x, eps).latent
    x[:, 4:] += 1.0
    eps[:, 4:] -= 1.0
    np.testing.assert_array_equal(layer(x, eps).latent[:, :4], before[:, :4])
    eps[:, 0] += 1.0
    assert np.abs(layer(x, eps).latent - before)[:, 3].min() > 1e-5


def test_draws_far_out_do_not_run_away(layer):
    layer.log_scale.kernel.assign(tf.ones([4, 4]))
    latent = layer(normal(3, 200, 3), 5.0 * normal(3, 200, 4, seed=1)).latent
    # No farther than steps of the largest scale lead: e^(4 + log 0.5).
    assert np.abs(latent).max() < 5.0 * 5 * np.exp(4) * 200
    assert np.isfinite(latent).all()


def test_gradients_flow_through_all_steps(layer):
    x, eps = normal(1, 6, 3), normal(1, 6, 4, seed=1)

    @tf.function
    def gradients():
        with tf.GradientTape() as tape:
            tape.watch([x, eps])
            last = tf.reduce_sum(layer(x, eps, training=True).latent[:, -1])
        weights = [w.value for w in layer.trainable_weights]
        return tape.gradient(last, [x, eps, *weights])

    of_x, of_eps, *of_weights = gradients()
    assert np.abs(of_x).min() > 0
    assert np.abs(of_eps).min() > 0
    assert all(np.abs(each).max() > 0 for each in of_weights)
