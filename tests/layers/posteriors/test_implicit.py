"""Tests of ACVAE's implicit posterior."""

import numpy as np
import tensorflow as tf

from tfrec.layers.posteriors import ImplicitPosterior


def posterior(**changes) -> ImplicitPosterior:
    """Returns a small posterior over hidden states of size 6."""
    settings = {"filters": 8, "kernel_size": 3, "dropout": 0.5, **changes}
    layer = ImplicitPosterior(4, 6, **settings)
    layer.build((None, None, 6))
    return layer


def test_the_latent_is_a_function_of_hidden_states_and_noise():
    layer = posterior()
    hidden = tf.random.normal([2, 5, 6])
    noise = tf.random.normal([2, 5, 12])
    latent = layer(hidden, noise).latent
    assert latent.shape == (2, 5, 4)
    np.testing.assert_array_equal(latent, layer(hidden, noise).latent)


def test_both_halves_of_the_noise_reach_the_latent():
    layer = posterior()
    hidden = tf.random.normal([1, 5, 6])
    noise = tf.random.normal([1, 5, 12])
    with tf.GradientTape() as tape:
        tape.watch(noise)
        latent = layer(hidden, noise).latent
    gradient = np.abs(tape.gradient(latent, noise))
    assert gradient[..., :6].min() > 0 and gradient[..., 6:].min() > 0


def test_future_noise_and_states_do_not_change_past_latents():
    layer = posterior()
    hidden = tf.random.normal([1, 6, 6])
    noise = tf.random.normal([1, 6, 12])
    before = layer(hidden, noise).latent
    late = tf.concat([tf.zeros([1, 4, 1]), tf.ones([1, 2, 1])], 1)
    after = layer(hidden + late, noise + late).latent
    np.testing.assert_array_equal(before[:, :4], after[:, :4])
    assert np.abs(before - after)[:, 4:].max() > 1e-3


def test_dropout_acts_in_training_alone():
    layer = posterior()
    hidden, noise = tf.random.normal([1, 3, 6]), tf.zeros([1, 3, 12])
    calm = layer(hidden, noise).latent
    np.testing.assert_array_equal(calm, layer(hidden, noise).latent)
    trained = layer(hidden, noise, training=True).latent
    assert (calm != trained).numpy().any()


def test_it_says_that_its_density_is_not_known():
    layer = posterior()
    draw = layer(tf.random.normal([1, 3, 6]), tf.zeros([1, 3, 12]))
    assert draw.kl is None and draw.extras == {}
    assert not layer.knows_density


def test_no_noise_is_noise_of_zero():
    layer = posterior()
    hidden = tf.random.normal([2, 3, 6])
    zeros = layer(hidden, tf.zeros([2, 3, layer.noise_dim])).latent
    np.testing.assert_array_equal(layer(hidden, None).latent, zeros)


def test_a_latent_depends_on_the_states_within_its_reach_alone():
    layer = posterior()
    hidden = tf.random.normal([1, 8, 6])
    with tf.GradientTape() as tape:
        tape.watch(hidden)
        fifth = tf.reduce_sum(layer(hidden, None).latent[:, 5])
    moved = np.abs(tape.gradient(fifth, hidden))[0].max(-1) > 0
    assert np.flatnonzero(moved).tolist() == [3, 4, 5]
    assert layer.reach == 3
