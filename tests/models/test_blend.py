"""Tests of Blend against the pool's formula, and of the weights it chooses."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import optimize

from tests.counts import NUM_ITEMS, counted
from tfrec.batches import EvaluationBatch, Query
from tfrec.errors import InputError
from tfrec.models import Blend, BlendConfig, Markov, Pop
from tfrec.models.base.pool_weights import likeliest_weights

PARTS = (
    {"model": "markov", "settings": {"max_length": 9}},
    {"model": "pop", "settings": {"max_length": 9}},
)
HISTORIES = tf.constant([[1, 2], [3, 0], [0, 0]])


def log_softmax(logits):
    return logits - np.log(np.sum(np.exp(logits), -1, keepdims=True))


@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.7, 0.2), (0.0, 3.0)])
def test_scores_are_the_weighted_sum_made_a_distribution(weights):
    model = counted(Blend, parts=PARTS, weights=weights)
    members = [
        counted(kind).score(Query.of(HISTORIES)).numpy()
        for kind in (Markov, Pop)
    ]
    expected = log_softmax(sum(map(np.multiply, weights, members)))
    found = model.score(Query.of(HISTORIES))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def random_scores(members, rows, seed=0):
    rng = np.random.default_rng(seed)
    return log_softmax(rng.normal(size=(members, rows, NUM_ITEMS)))


def chosen(scores, targets, excluded, size=50):
    """Weights for the given log-probabilities; row i is asked for as item i."""
    rows = len(targets)
    batch = EvaluationBatch.of(
        tf.range(rows)[:, None],
        tf.constant(targets, tf.int32),
        tf.constant(excluded, tf.int32),
    )
    return likeliest_weights(
        lambda query: tf.gather(
            tf.constant(scores, tf.float32), query.history[:, 0], axis=1
        ),
        tf.data.Dataset.from_tensor_slices(batch).batch(size),
        len(scores),
    )


def likelihood(weights, scores, targets, excluded):
    """The mean over rows and targets, in plain Python."""
    logits = np.tensordot(weights, scores, 1)
    rows = []
    for row, wanted, left in zip(logits, targets, excluded, strict=True):
        kept = np.delete(row, [item - 1 for item in left if item])
        known = [
            row[t - 1] for t in wanted if 0 < t <= NUM_ITEMS and t not in left
        ]
        if known:
            rows.append(np.mean(known) - np.log(np.sum(np.exp(kept))))
    return np.mean(rows)


def test_the_weights_make_the_targets_likeliest():
    rng = np.random.default_rng(1)
    scores = random_scores(3, 160)
    mixed = 2.0 * scores[0] + 0.5 * scores[1]
    # One item of each row is not ranked; some rows have a second target, which
    # may be one that training never saw, or the one that is not ranked.
    items = np.argsort(-(mixed + rng.gumbel(size=mixed.shape)))[:, :3] + 1
    excluded = items[:, 2:]
    none, unseen = np.zeros(len(items), int), np.full(len(items), NUM_ITEMS + 1)
    second = np.stack([none, unseen, items[:, 1], items[:, 2]])
    second = rng.permuted(second, axis=0)[0]
    targets = np.stack([items[:, 0], second], 1)
    found = chosen(scores, targets, excluded)
    expected = optimize.minimize(
        lambda w: -likelihood(w, scores, targets, excluded),
        np.ones(3),
        bounds=[(0, None)] * 3,
    ).x
    np.testing.assert_allclose(found, expected, atol=0.02)
    assert found[0] > 1.2


def test_a_member_that_errs_has_no_weight():
    scores = random_scores(2, 200)
    rng = np.random.default_rng(2)
    truth = scores[0] - 0.7 * scores[1]
    drawn = np.argmax(truth + rng.gumbel(size=truth.shape), 1) + 1
    none = np.zeros([200, 1], int)
    sharp, wrong = chosen(scores, drawn[:, None], none)
    assert wrong == 0.0
    assert 0.7 < sharp < 1.4


def test_batches_of_any_size_choose_the_same():
    scores = random_scores(2, 60)
    targets = np.argmax(scores[0], 1)[:, None] + 1
    none = np.zeros([60, 1], int)
    np.testing.assert_allclose(
        chosen(scores, targets[:60], none, 7),
        chosen(scores, targets[:60], none, 60),
        rtol=1e-3,
    )


def test_members_that_know_nothing_are_refused():
    scores = random_scores(1, 50)
    targets = np.argmin(scores[0], 1)[:, None] + 1
    with pytest.raises(InputError, match="no likelier than by chance"):
        chosen(scores, targets, np.zeros([50, 1], int))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": (1.0,)}, r"each of the 2 members.*1 numbers"),
        ({"weights": (0.0, 0.0)}, "number above 0"),
        ({"weights": (-1.0, 1.0)}, "at least 0"),
    ],
)
def test_weights_that_cannot_be_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        BlendConfig(parts=PARTS, **changes)


def test_a_blend_of_nothing_is_refused():
    with pytest.raises(InputError, match=r"`--members` must name"):
        Blend(NUM_ITEMS)
