"""Tests of the contrastive critic."""

import numpy as np
import pytest
import tensorflow as tf

from tfrec.layers.critics import ContrastiveCritic


def critic() -> ContrastiveCritic:
    """Returns a critic of embeddings of size 8 and latents of size 4."""
    layer = ContrastiveCritic(5)
    layer.build((None, None, 8), (None, None, 4))
    return layer


def test_contrast_counts_only_positions_valid_in_both():
    net = critic()
    latents = tf.random.normal([2, 3, 4])
    embedded = tf.random.normal([2, 3, 8])
    valid = tf.constant([[True, True, True], [True, False, False]])
    loss = net.loss(embedded, latents, valid, tf.ones([2]))
    own = net(embedded, latents)
    crossed = net(embedded, latents[::-1])
    expected = tf.reduce_sum(tf.boolean_mask(tf.nn.softplus(-own), valid))
    expected += tf.reduce_sum(tf.nn.softplus(crossed[:, 0]))
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_a_sequence_is_set_against_the_one_before_it():
    net = critic()
    latents = tf.random.normal([3, 2, 4])
    embedded = tf.random.normal([3, 2, 8])
    weight = tf.constant([0.2, 1.0, 3.0])
    loss = net.loss(embedded, latents, tf.ones([3, 2], tf.bool), weight)
    expected = 0.0
    for row in range(3):
        own = net(embedded[row][None], latents[row][None])
        other = net(embedded[row][None], latents[row - 1][None])
        each = tf.nn.softplus(-own) + tf.nn.softplus(other)
        expected += weight[row] * tf.reduce_sum(each)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_one_sequence_has_no_negative():
    with pytest.raises(tf.errors.InvalidArgumentError, match="two at least"):
        critic().loss(
            tf.zeros([1, 2, 8]),
            tf.zeros([1, 2, 4]),
            tf.ones([1, 2], tf.bool),
            tf.ones([1]),
        )
