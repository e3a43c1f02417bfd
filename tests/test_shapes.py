"""Tests of fixed shapes."""

import numpy as np
import tensorflow as tf

from tfrec.shapes import Positions, fixed_size


def test_sizes_are_few_and_little_larger():
    sizes = np.arange(1, 20_000)
    fixed = fixed_size(tf.constant(sizes)).numpy()
    assert (fixed >= sizes).all()
    assert (fixed <= sizes * 1.0625).all()
    np.testing.assert_array_equal(fixed[:32], sizes[:32])
    # From one power of two to the next.
    assert len({n for n in fixed if 1024 < n <= 2048}) == 16
    np.testing.assert_array_equal(fixed_size(tf.constant(fixed)), fixed)


def test_no_positions_have_no_size():
    assert int(fixed_size(tf.constant(0))) == 0
    none = Positions.where(tf.zeros([2, 3], tf.bool), tf.ones([2]))
    assert none.places.shape == [0, 2]


def test_positions_end_with_rows_that_do_not_count():
    valid = tf.sequence_mask([18, 17], 24)
    weight = tf.constant([0.25, 0.75])
    positions = Positions.where(valid, weight)
    assert positions.places.shape == [36, 2]
    values = tf.random.normal([2, 24])
    np.testing.assert_array_equal(
        positions.read(values)[:35], tf.boolean_mask(values, valid)
    )
    np.testing.assert_array_equal(positions.weights[35:], [0.0])
    expected = tf.reduce_sum(values * tf.cast(valid, tf.float32), 1)
    np.testing.assert_allclose(
        positions.sum(positions.read(values)),
        tf.reduce_sum(weight * expected),
        rtol=1e-5,
    )
