"""Tests of Item-KNN against similarities of sets of sessions."""

import math

import numpy as np
import pytest

from tests.counts import NUM_ITEMS, SESSIONS, counted, log_probabilities, table
from tfrec.batches import Query
from tfrec.errors import InputError
from tfrec.models import ItemKNN, ItemKNNConfig


def reference(sessions, shrinkage, neighbours=100):
    having = {
        item: {n for n, session in enumerate(sessions) if item in session}
        for item in range(1, NUM_ITEMS + 1)
    }
    similar = {}
    for i in having:
        row = {
            j: len(having[i] & having[j])
            / math.sqrt(
                (len(having[i]) + shrinkage) * (len(having[j]) + shrinkage)
            )
            for j in having
            if i != j and having[i] & having[j]
        }
        # A stable sort: equals stay in the order of the vocabulary.
        kept = sorted(row, key=row.get, reverse=True)[:neighbours]
        if kept:
            similar[i] = {j: row[j] for j in kept}
    return similar


@pytest.mark.parametrize("shrinkage", [0.0, 20.0])
@pytest.mark.parametrize("neighbours", [1, 3, 100])
def test_neighbours_are_the_most_similar_items(shrinkage, neighbours):
    similar = table(
        counted(ItemKNN, shrinkage=shrinkage, neighbours=neighbours)
    )
    expected = reference(SESSIONS, shrinkage, neighbours)
    assert similar.keys() == expected.keys()
    for item, row in similar.items():
        assert row == pytest.approx(expected[item])


@pytest.mark.parametrize("last", range(NUM_ITEMS + 1))
def test_scores_are_shares_of_the_similarity(last):
    model = counted(ItemKNN, shrinkage=0.0)
    (scores,) = model.score(Query.of([[last]])).numpy()
    expected = log_probabilities(reference(SESSIONS, 0.0), last)
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_repeated_clicks_and_order_do_not_matter():
    repeated = [sorted(s + s[:1], reverse=True) for s in SESSIONS]
    assert table(counted(ItemKNN, repeated)) == table(counted(ItemKNN))


@pytest.mark.parametrize("wrong", [{"shrinkage": -1.0}, {"neighbours": 0}])
def test_settings_out_of_bounds_are_refused(wrong):
    (name,) = wrong
    with pytest.raises(InputError, match=name):
        ItemKNNConfig(**wrong)
