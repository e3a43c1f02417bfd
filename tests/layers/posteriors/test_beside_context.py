"""Tests of a latent that stands beside an attention vector."""

import numpy as np
import pytest
import tensorflow as tf

from tfrec.layers.posteriors import (
    BesideContext,
    FlowPosterior,
    ImplicitPosterior,
)

UNITS = 5


def implicit() -> ImplicitPosterior:
    """Returns a posterior without a density."""
    return ImplicitPosterior(3, UNITS, filters=4, kernel_size=2, dropout=0.0)


def beside(of_state, of_context=None) -> BesideContext:
    """Returns a built posterior of states [h; c]."""
    layer = BesideContext(of_state, of_context, UNITS)
    layer.build((None, None, 2 * UNITS))
    return layer


@pytest.mark.parametrize("make", [lambda: FlowPosterior(3, 2), implicit])
def test_the_decoder_reads_the_context_as_it_is(make):
    of_state = make()
    layer, states = beside(of_state), tf.random.normal([2, 4, 2 * UNITS])
    noise = tf.random.normal([2, 4, layer.noise_dim])
    draw = layer(states, noise)
    alone = of_state(states[..., :UNITS], noise)
    np.testing.assert_array_equal(draw.latent[..., :3], alone.latent)
    np.testing.assert_array_equal(draw.latent[..., 3:], states[..., UNITS:])
    assert (layer.dim, layer.drawn_dim) == (3 + UNITS, 3)
    assert layer.reach == of_state.reach
    if alone.kl is None:
        assert draw.kl is None
    else:
        np.testing.assert_array_equal(draw.kl, alone.kl)


def test_a_posterior_of_the_context_adds_its_divergence():
    of_state, of_context = FlowPosterior(3, 2), FlowPosterior(UNITS, 1)
    layer = beside(of_state, of_context)
    states = tf.random.normal([2, 4, 2 * UNITS])
    noise = tf.random.normal([2, 4, layer.noise_dim])
    assert layer.noise_dim == layer.drawn_dim == 3 + UNITS
    draw = layer(states, noise)
    z = of_state(states[..., :UNITS], noise[..., :3])
    c = of_context(states[..., UNITS:], noise[..., 3:])
    np.testing.assert_array_equal(
        draw.latent, tf.concat([z.latent, c.latent], -1)
    )
    np.testing.assert_allclose(draw.kl, z.kl + c.kl, rtol=1e-6)
    np.testing.assert_allclose(
        draw.extras["log_det"],
        z.extras["log_det"] + c.extras["log_det"],
        rtol=1e-6,
    )


def test_without_noise_both_are_at_their_centres():
    layer = beside(FlowPosterior(3, 2), FlowPosterior(UNITS, 1))
    states = tf.random.normal([2, 4, 2 * UNITS])
    zeros = tf.zeros([2, 4, layer.noise_dim])
    np.testing.assert_array_equal(
        layer(states, None).latent, layer(states, zeros).latent
    )
