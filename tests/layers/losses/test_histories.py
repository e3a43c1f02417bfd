"""Tests of what came before each position."""

import numpy as np
import pytest
import tensorflow as tf

from tfrec.layers.losses import Histories

HISTORY = np.array([[7, 3, 3, 9], [1, 5, 0, 0], [2, 0, 0, 0]])
PLACES = np.array([[0, 0], [0, 3], [1, 1], [1, 0], [2, 0], [0, 1]])


def histories() -> Histories:
    """Returns six positions in three sequences."""
    return Histories(
        tf.constant(HISTORY - 1, tf.int32), tf.constant(PLACES, tf.int64)
    )


@pytest.mark.parametrize("highest", [2, 11, 1_000_000_000])
def test_columns_of_a_whole_sequence_are_held_and_no_others(highest):
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, min(highest, 11), [6, 8])
    drawn[:, 0] = highest
    received = histories().hold(tf.constant(drawn, tf.int32))
    # Those after a position count too.
    expected = [
        [column + 1 in HISTORY[sequence] for column in row]
        for (sequence, _), row in zip(PLACES, drawn, strict=True)
    ]
    np.testing.assert_array_equal(received, expected)
    assert np.any(expected) and not np.all(expected)


def test_padding_is_no_column_that_is_held():
    received = histories().hold(tf.zeros([6, 1], tf.int32))
    np.testing.assert_array_equal(received[:, 0], [0, 0, 1, 1, 0, 0])


def test_penalties_leave_out_what_came_up_to_a_position():
    penalties = histories().penalties(11).numpy()
    for row, (sequence, last) in zip(penalties, PLACES, strict=True):
        seen = {i - 1 for i in HISTORY[sequence, : last + 1] if i}
        assert set(np.flatnonzero(row)) == seen
        assert (row[list(seen)] <= -1e30).all() and np.isfinite(row).all()


def test_columns_to_keep_are_not_left_out():
    kept = tf.constant([[6, -1], [2, 8], [4, 0], [0, -1], [5, -1], [2, 2]])
    penalties = histories().penalties(11, kept).numpy()
    left_out = [set(np.flatnonzero(row)) for row in penalties]
    assert left_out == [set(), {6}, set(), set(), {1}, {6}]


def test_histories_among_drawn_columns_are_places_in_the_draw():
    drawn = tf.constant([8, 2, 10, 2, 0])
    among = histories().among(drawn).penalties(5).numpy()
    # Of equals the first stands for both: the other does not count anyway.
    left_out = [set(np.flatnonzero(row)) for row in among]
    assert left_out == [set(), {0, 1}, {4}, {4}, set(), {1}]
