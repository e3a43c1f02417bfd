"""Tests of the items that came, and of their shares."""

import numpy as np
import pytest
import tensorflow as tf

from tfrec.layers.losses import Targets, coming

WINDOWS = [[5, 6, 7], [8, 9, 0], [3, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("decay", [1.0, 0.5, 0.1])
def test_each_item_of_a_window_has_its_part_of_the_one_before(decay):
    targets = Targets.of(tf.constant(WINDOWS), tf.ones([4]), decay)
    for items, shares in zip(WINDOWS, targets.shares.numpy(), strict=True):
        there = [decay**place for place, item in enumerate(items) if item]
        expected = [part / sum(there) for part in there]
        expected += [0.0] * (3 - len(expected))
        np.testing.assert_allclose(shares, expected, rtol=1e-6)


def test_a_row_of_none_has_no_share_and_a_column_to_look_up():
    targets = Targets.of(tf.constant(WINDOWS), tf.ones([4]), 0.9)
    np.testing.assert_array_equal(targets.shares[3], [0, 0, 0])
    np.testing.assert_array_equal(
        targets.columns, [[4, 5, 6], [7, 8, 0], [2, 0, 0], [0, 0, 0]]
    )


def test_a_window_of_targets_is_the_next_items():
    np.testing.assert_array_equal(
        coming(tf.constant([[5, 6, 7, 0]]), 3),
        [[[5, 6, 7], [6, 7, 0], [7, 0, 0], [0, 0, 0]]],
    )
