"""Tests of Item-KNN against similarities of sets of sessions."""

import numpy as np
import pytest

from tests.counts import NUM_ITEMS, SESSIONS, counted, log_probabilities, table
from tfrec.batches import Query
from tfrec.errors import InputError
from tfrec.models import ItemKNN, ItemKNNConfig


def reference(
    sessions, shrinkage, neighbours=100, powers=(0.5, 0.5), sequence_power=0.0
):
    def count(chosen):
        lengths = [len(set(sessions[n])) for n in chosen]
        return sum(length**-sequence_power for length in lengths)

    row_power, item_power = powers
    having = {
        item: {n for n, session in enumerate(sessions) if item in session}
        for item in range(1, NUM_ITEMS + 1)
    }
    similar = {}
    for i in having:
        row = {
            j: count(having[i] & having[j])
            / (count(having[i]) + shrinkage) ** row_power
            / (count(having[j]) + shrinkage) ** item_power
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


def test_counts_are_divided_by_powers():
    powers = {"row_power": 0.3, "item_power": 0.1}
    similar = table(
        counted(ItemKNN, shrinkage=2.0, sequence_power=0.25, **powers)
    )
    expected = reference(SESSIONS, 2.0, 100, (0.3, 0.1), 0.25)
    assert similar.keys() == expected.keys()
    for item, row in similar.items():
        assert row == pytest.approx(expected[item])


@pytest.mark.parametrize("decay", [0.5, 1.0])
@pytest.mark.parametrize("history", [[3], [2, 5, 3, 2, 8], [6, 9, 6], []])
def test_a_history_is_read_with_a_decay(history, decay):
    model = counted(ItemKNN, shrinkage=0.0, history_decay=decay)
    similar, found = reference(SESSIONS, 0.0), {}
    for item in set(history):
        age = history[::-1].index(item)
        for other, strength in similar.get(item, {}).items():
            found[other] = found.get(other, 0.0) + decay**age * strength
    # One row alone, and beside a longer one.
    padded = history + [0] * (7 - len(history))
    for rows in ([history or [0]], [padded, [1, 2, 3, 4, 5, 6, 7]]):
        scores = model.score(Query.of(rows))[0].numpy()
        expected = log_probabilities({1: found} if found else {}, 1)
        np.testing.assert_allclose(scores, expected, rtol=1e-4)


def test_items_that_weigh_a_thousandth_are_not_read():
    model = counted(ItemKNN, history_decay=0.1)
    newest = model.score(Query.of([[2, 7, 3]]))
    # 2 weighs a hundredth, and 5 before it a thousandth.
    np.testing.assert_array_equal(model.score(Query.of([[5, 2, 7, 3]])), newest)
    other = model.score(Query.of([[5, 7, 3]]))
    assert np.abs(other - newest).max() > 1e-4


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
