"""Tests of what passes between data and models."""

import numpy as np
import pytest
import tensorflow as tf

from tfrec.batches import EvaluationBatch, thinned


@pytest.mark.parametrize("every", [1, 2, 5, 7, 40])
def test_every_nth_row_is_left_whatever_the_batches(every):
    rows = np.arange(30, dtype=np.int32)
    batches = [
        EvaluationBatch.of(
            tf.constant(part[:, None]),
            tf.constant(part[:, None]),
            tf.zeros([len(part), 0], tf.int32),
            record=tf.constant(part),
        )
        for part in np.split(rows, [3, 4, 15, 16, 22])
    ]
    left = list(thinned(batches, every))
    assert all(len(batch.history) for batch in left)
    found = np.concatenate([batch.record for batch in left])
    np.testing.assert_array_equal(found, rows[::every])
    for batch in left:
        np.testing.assert_array_equal(batch.history[:, 0], batch.record)
        np.testing.assert_array_equal(batch.targets[:, 0], batch.record)
