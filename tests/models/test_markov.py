"""Tests of the Markov model against counting by hand."""

import collections

import numpy as np
import pytest

from tests.counts import NUM_ITEMS, SESSIONS, counted, log_probabilities, table
from tfrec.batches import Query
from tfrec.models import Markov


def reference(sessions):
    pairs = collections.defaultdict(collections.Counter)
    for session in sessions:
        for position in range(1, len(session)):
            pairs[session[position - 1]][session[position]] += 1
    return pairs


def test_every_pair_of_an_item_and_the_next_is_counted():
    assert table(counted(Markov)) == reference(SESSIONS)


@pytest.mark.parametrize("last", range(NUM_ITEMS + 1))
def test_scores_are_shares_of_what_came_next(last):
    (scores,) = counted(Markov).score(Query.of([[last]])).numpy()
    expected = log_probabilities(reference(SESSIONS), last)
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_only_the_newest_items_of_a_long_session_are_counted():
    # One item more than `max_length`, as the pipeline cuts them.
    cut = [session[-3:] for session in SESSIONS]
    assert table(counted(Markov, cut, max_length=2)) == reference(cut)
