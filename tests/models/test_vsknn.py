"""Tests of VSKNN against neighbours found in plain Python."""

import collections
import math

import numpy as np
import pytest
import tensorflow as tf

from tests.counts import (
    NUM_ITEMS,
    SESSIONS,
    batches,
    counted,
    log_probabilities,
)
from tfrec.batches import Query, TrainingBatch
from tfrec.errors import InputError
from tfrec.models import VSKNN, VSKNNConfig
from tfrec.models.vsknn import scramble

HISTORIES = [[1, 2, 3], [4, 0, 0], [6, 9, 0], [0, 0, 0], [2, 3, 2], [8, 1, 8]]
WEIGHTS = {
    "linear": lambda i, n: i / n,
    "quadratic": lambda i, n: (i / n) ** 2,
    "reciprocal": lambda i, n: 1 / i,
    "none": lambda i, n: 1.0,
}


def newest_first(sessions, users):
    """Returns the sessions in the order that the model puts them in."""
    width = max(map(len, sessions))
    padded = np.array([s + [0] * (width - len(s)) for s in sessions])
    keys = zip([-user for user in users], scramble(padded), strict=True)
    return [
        session
        for _, session in sorted(
            zip(keys, sessions, strict=True), key=lambda pair: pair[0]
        )
    ]


def reference(history, sessions, c):
    """Returns {item: score}; the sessions are newest first."""
    places = {item: i for i, item in enumerate(history, 1)}
    sample = [set(s) for s in sessions if set(s) & places.keys()]
    similarity = WEIGHTS[c.similarity_decay]
    near = []
    for session in sample[: c.sampled_sequences]:
        shared = [places[item] for item in session & places.keys()]
        total = sum(similarity(i, len(history)) for i in shared)
        near.append((total, len(history) - max(shared) + 1, session))
    # A stable sort: of equals the newer stay first.
    near.sort(key=lambda neighbour: -neighbour[0])
    seen = collections.Counter(item for s in sessions for item in s)
    scores = collections.Counter()
    for total, distance, session in near[: c.neighbour_sequences]:
        if c.match_decay == "quadratic":
            distance **= 2
        decay = WEIGHTS["reciprocal"](distance, 0)
        if c.match_decay == "none":
            decay = 1.0
        for item in session:
            idf = max(math.log(len(sessions) / seen[item]), 0.0)
            scores[item] += total * decay * (1 + c.idf_weight * idf)
    return dict(scores)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"neighbour_sequences": 2},
        {"sampled_sequences": 2},
        {"sampled_sequences": 3, "neighbour_sequences": 1},
        {"similarity_decay": "quadratic", "match_decay": "quadratic"},
        {"similarity_decay": "none", "match_decay": "none"},
        {"idf_weight": 2.0},
    ],
    ids=str,
)
def test_scores_are_those_of_the_neighbours(settings):
    c = VSKNNConfig(**settings)
    sessions = newest_first(SESSIONS, [0] * len(SESSIONS))
    scores = counted(VSKNN, **settings).score(Query.of(HISTORIES))
    for history, row in zip(HISTORIES, scores.numpy(), strict=True):
        known = [item for item in history if item]
        found = reference(known, sessions, c)
        expected = log_probabilities({1: found} if found else {}, 1)
        np.testing.assert_allclose(row, expected, rtol=1e-5)


def test_of_users_the_last_in_the_log_are_the_newest():
    sessions = [[1, 2], [1, 3], [1, 4], [1, 5], [6, 7]]

    def given(order):
        items = tf.constant([sessions[i] for i in order])
        users = tf.constant(order) + 1
        return tf.data.Dataset.from_tensors(TrainingBatch.of(items, users))

    model, other = (
        VSKNN(NUM_ITEMS, VSKNNConfig(sampled_sequences=2)) for _ in range(2)
    )
    model.adapt(given([0, 1, 2, 3, 4]))
    other.adapt(given([3, 0, 4, 2, 1]))
    scores = model.score(Query.of([[1]]))
    np.testing.assert_array_equal(other.score(Query.of([[1]])), scores)
    _, *best = np.argsort(-scores[0])[:3] + 1
    assert set(best) == {4, 5}


def test_sessions_are_put_in_an_order_of_their_own():
    rng = np.random.default_rng(0)
    items = rng.integers(1, 100, [4000, 3])
    found = scramble(items)
    np.testing.assert_array_equal(
        scramble(np.pad(items, [[0, 0], [0, 4]])), found
    )
    assert len(set(found.tolist())) == len(np.unique(items, axis=0))
    # It has nothing to do with the items: each half has its share.
    first = items[np.argsort(found)][:2000]
    for column in range(3):
        assert abs(first[:, column].mean() - items[:, column].mean()) < 2


def test_batches_do_not_change_what_is_kept():
    model, other = counted(VSKNN, sampled_sequences=2), None
    other = VSKNN(NUM_ITEMS, VSKNNConfig(sampled_sequences=2))
    other.adapt(batches(SESSIONS[::-1], batch_size=1))
    for name, table in model.tables.items():
        np.testing.assert_array_equal(other.tables[name], table)
    np.testing.assert_array_equal(other.having_splits, model.having_splits)


def test_only_the_newest_sequences_of_an_item_are_held():
    sessions = [[1, item] for item in range(2, 8)]
    model = counted(VSKNN, sessions, sampled_sequences=2)
    splits = np.array(model.having_splits)
    assert splits.tolist() == [0, 0, 2, 3, 4, 5, 6, 7, 8, 8, 8]
    # Those of item 1 come first in the order of all.
    assert model.having.numpy()[:2].tolist() == [0, 1]


def test_only_the_last_items_are_read():
    model = counted(VSKNN, last_items=2)
    one, other = model.score(Query.of([[5, 7, 2, 3], [2, 3, 0, 0]]))
    np.testing.assert_array_equal(one, other)


def test_scores_are_exported_without_python(tmp_path):
    model, module = counted(VSKNN), tf.Module()
    module.model = model
    module.score = tf.function(
        lambda history: model.score(Query.of(history)),
        input_signature=[tf.TensorSpec([None, None], tf.int32)],
    )
    tf.saved_model.save(module, tmp_path)
    served = tf.saved_model.load(tmp_path)
    expected = model.score(Query.of(HISTORIES))
    np.testing.assert_array_equal(
        served.score(tf.constant(HISTORIES)), expected
    )
    graph = module.score.get_concrete_function().graph
    used = {node.type for node in graph.get_operations()}
    assert not {name for name in used if "PyFunc" in name}


def test_it_knows_what_goes_together():
    sessions = [[1, 2, 3], [1, 2, 3], [4, 5, 6], [4, 5, 6], [3, 7], [6, 7]]
    items, _ = counted(VSKNN, sessions).recommend([[1, 2], [5, 4]], k=1)
    assert items.tolist() == [[3], [6]]


@pytest.mark.parametrize(
    "wrong",
    [
        {"neighbour_sequences": 0},
        {"match_decay": "linear"},
        {"idf_weight": -1.0},
    ],
)
def test_settings_out_of_bounds_are_refused(wrong):
    (name,) = wrong
    with pytest.raises(InputError, match=name):
        VSKNNConfig(**wrong)
