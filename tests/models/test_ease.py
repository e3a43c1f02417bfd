"""Tests of EASE against the least squares of its paper."""

import numpy as np
import pytest
import tensorflow as tf

from tests.counts import NUM_ITEMS, SESSIONS, batches, counted
from tests.regression import constrained
from tfrec.batches import Query
from tfrec.errors import InputError
from tfrec.models import EASE, EASEConfig


def sets(sessions):
    """Returns X, one row of zeros and ones for each session."""
    x = np.zeros([len(sessions), NUM_ITEMS])
    for row, session in zip(x, sessions, strict=True):
        row[np.array(session) - 1] = 1
    return x


@pytest.mark.parametrize("l2_weight", [0.5, 500.0])
def test_weights_solve_the_least_squares_of_the_paper(l2_weight):
    model = counted(EASE, l2_weight=l2_weight)
    x = sets(SESSIONS)
    expected = constrained(x, x, l2_weight, 0.0)
    found = np.array(model.weights_between)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-8)
    np.testing.assert_array_equal(found.diagonal(), 0.0)


def test_scores_are_sums_over_the_set_of_the_history():
    model = counted(EASE, l2_weight=1.0)
    histories = [[1, 2, 3, 0], [8, 4, 4, 1], [6, 0, 0, 0]]
    sums = sets([[i for i in h if i] for h in histories]) @ np.array(
        model.weights_between
    )
    expected = tf.nn.log_softmax(sums)
    np.testing.assert_allclose(
        model.score(Query.of(histories)), expected, rtol=1e-5
    )


def test_order_and_repetition_do_not_matter():
    mixed = [(s + s[:1])[::-1] for s in SESSIONS]
    model, other = counted(EASE), counted(EASE, mixed)
    np.testing.assert_array_equal(model.weights_between, other.weights_between)
    one, two = model.score(Query.of([[1, 2, 5, 0], [2, 5, 1, 5]]))
    np.testing.assert_array_equal(one, two)


def test_without_a_known_item_the_popular_come_first():
    model = counted(EASE)
    scores = model.score(Query.of([[0, 0], [0, 0]]))
    seen = np.bincount(np.concatenate(SESSIONS), minlength=NUM_ITEMS + 1)[1:]
    expected = np.maximum(seen, 0.5)
    np.testing.assert_allclose(
        np.exp(scores), [expected / expected.sum()] * 2, rtol=1e-5
    )


def test_solving_again_starts_again():
    model = counted(EASE)
    expected = np.array(model.weights_between)
    model.adapt(batches())
    model.fit(batches(), epochs=2, verbose=0)
    np.testing.assert_array_equal(model.weights_between, expected)


def test_more_items_than_there_is_memory_for_are_refused():
    with pytest.raises(
        InputError,
        match=r"max_items.* 30000, .* 14\.4 GB\. Received: 20000.*min_item",
    ):
        EASE(30_000)
    EASE(9, EASEConfig(max_items=9))


def test_it_knows_what_goes_with_what():
    # Two tastes, of four items each, and an item that all have.
    tastes = [[1, 2, 3, 4, 9], [5, 6, 7, 8, 9]]
    sessions = [
        [i for i in taste if i != left_out]
        for taste in tastes
        for left_out in taste[:-1]
    ]
    model = counted(EASE, sessions, l2_weight=1.0)
    items, _ = model.recommend([[1, 2], [7, 8]], k=3)
    assert [set(row) for row in items.tolist()] == [{3, 4, 9}, {5, 6, 9}]
