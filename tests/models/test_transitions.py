"""Tests of the decayed counts of transitions against counting by hand."""

import collections

import numpy as np
import pytest

from tests.counts import SESSIONS, counted, log_probabilities, table
from tfrec.batches import Query
from tfrec.models import Markov, Transitions


def strengths(window, decay, row_power, item_power):
    """Returns {(item, follower): strength}, by the formula."""
    counts = collections.Counter()
    for session in SESSIONS:
        for place, item in enumerate(session):
            for distance, later in enumerate(session[place + 1 :][:window]):
                counts[item, later] += decay**distance
    rows, columns = collections.Counter(), collections.Counter()
    for (item, later), count in counts.items():
        rows[item] += count
        columns[later] += count
    return {
        (i, j): count / rows[i] ** row_power / columns[j] ** item_power
        for (i, j), count in counts.items()
    }


@pytest.mark.parametrize(
    "history", [[], [9], [6], [3], [1, 2], [5, 1, 3, 2, 2]]
)
@pytest.mark.parametrize("decay", [0.5, 1.0])
def test_scores_are_shares_of_what_followed_the_history(history, decay):
    model = counted(
        Transitions,
        window=3,
        pair_decay=0.7,
        history_decay=decay,
        row_power=0.4,
        item_power=0.2,
    )
    found = collections.Counter()
    for age, item in enumerate(reversed(history)):
        for (i, j), strength in strengths(3, 0.7, 0.4, 0.2).items():
            found[j] += decay**age * strength * (i == item)
    found = {item: value for item, value in found.items() if value}
    padded = Query.of([history + [0] * (6 - len(history)), [4] * 6])
    np.testing.assert_allclose(
        model.score(padded)[0],
        log_probabilities({1: found} if found else {}, 1),
        rtol=1e-4,
    )


def test_a_window_of_one_and_the_last_item_alone_are_the_markov_model():
    model = counted(
        Transitions,
        window=1,
        # Items before the last weigh less than is read.
        history_decay=1e-4,
        row_power=0.0,
        item_power=0.0,
    )
    markov = counted(Markov)
    histories = [[1, 2, 3], [3, 3, 0], [6, 0, 0], [5, 1, 4]]
    np.testing.assert_allclose(
        model.score(Query.of(histories)),
        markov.score(Query.of(histories)),
        rtol=1e-4,
    )
    assert table(markov)
