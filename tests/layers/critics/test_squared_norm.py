"""Tests of what stands in the place of the adversary."""

import numpy as np
import tensorflow as tf

from tfrec.layers.critics import Pairs, SquaredNorm
from tfrec.shapes import Positions


def test_it_is_half_the_square_of_the_length_of_z():
    valid = tf.constant([[True, True], [True, False]])
    weight = tf.constant([0.5, 2.0])
    positions = Positions.where(valid, weight)
    latents = tf.random.stateless_normal([2, 2, 3], [1, 2])
    latent = positions.read(latents)
    pairs = Pairs(None, valid, weight, positions, latent, None, None)
    net = SquaredNorm()
    net.build((None, 8), (None, 3))
    expected = 0.0
    for row, place in [(0, 0), (0, 1), (1, 0)]:
        z = latents[row, place].numpy()
        expected += float(weight[row]) * (z @ z) / 2
    np.testing.assert_allclose(net.judge(pairs, None)["l2"], expected, 1e-5)
    assert not net.trainable_variables
