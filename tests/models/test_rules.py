"""Tests of the sequential rules against counting by hand."""

import collections

import numpy as np
import pytest

from tests.counts import NUM_ITEMS, SESSIONS, counted, log_probabilities, table
from tfrec.batches import Query
from tfrec.errors import InputError
from tfrec.models import Markov, Rules, RulesConfig


def reference(sessions, max_distance):
    rules = collections.defaultdict(collections.Counter)
    for session in sessions:
        for position, item in enumerate(session):
            for distance in range(1, min(max_distance, position) + 1):
                rules[session[position - distance]][item] += 1 / distance
    return rules


@pytest.mark.parametrize("max_distance", [1, 2, 10])
def test_an_item_d_steps_later_counts_one_dth(max_distance):
    rules = table(counted(Rules, max_distance=max_distance))
    expected = reference(SESSIONS, max_distance)
    assert rules.keys() == expected.keys()
    for item, row in rules.items():
        assert row == pytest.approx(expected[item])


@pytest.mark.parametrize("last", range(NUM_ITEMS + 1))
def test_scores_are_shares_of_what_came_later(last):
    (scores,) = counted(Rules).score(Query.of([[last]])).numpy()
    expected = log_probabilities(reference(SESSIONS, 10), last)
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_rules_of_one_step_are_the_markov_model():
    assert table(counted(Rules, max_distance=1)) == table(counted(Markov))


@pytest.mark.parametrize("history", [[], [9], [3], [1, 2], [5, 1, 3, 2, 2]])
def test_every_item_votes_with_the_rules_of_its_distance(history):
    model = counted(Rules, max_distance=3, every_item_votes=True)
    votes = collections.Counter()
    for distance in range(1, min(3, len(history)) + 1):
        voter = history[-distance]
        for session in SESSIONS:
            for one, other in zip(session, session[distance:], strict=False):
                votes[other] += (one == voter) / distance
    votes = {item: vote for item, vote in votes.items() if vote}
    padded = Query.of([history + [0] * (6 - len(history)), [4] * 6])
    np.testing.assert_allclose(
        model.score(padded)[0],
        log_probabilities({1: votes} if votes else {}, 1),
        rtol=1e-5,
    )


def test_sums_of_fractions_that_are_equal_tie():
    # 2 comes three and six steps after 1, and 3 two steps: all 1/2 in sum.
    sessions = [[1, 4, 5, 2, 6, 7, 2], [1, 8, 3]]
    (scores,) = counted(Rules, sessions).score(Query.of([[1]])).numpy()
    assert scores[1] == scores[2]


def test_a_distance_of_none_is_refused():
    with pytest.raises(InputError, match=r"max_distance.*Received: 0"):
        RulesConfig(max_distance=0)
