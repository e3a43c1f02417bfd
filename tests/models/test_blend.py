"""Tests of Blend against the pool's formula, and of the weights it chooses."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import optimize

from tests.counts import NUM_ITEMS, counted
from tfrec.batches import EvaluationBatch, Query
from tfrec.errors import InputError
from tfrec.metrics import target_ranks
from tfrec.metrics.ranking import NEVER
from tfrec.models import Blend, BlendConfig, Markov, MarkovConfig, Pop
from tfrec.models.base import pool_weights
from tfrec.models.base.pool_weights import choose_weights

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


def test_an_item_that_a_member_leaves_out_has_no_probability():
    shut = {"model": "gru4rec", "settings": {"exclude_history": True}}
    assert not counted(Blend, parts=PARTS).leaves_out_history
    model = counted(Blend, parts=(*PARTS, shut), weights=(1.0, 1.0, 0.1))
    assert model.leaves_out_history
    found = np.exp(model.score(Query.of(HISTORIES)))
    left = np.zeros(found.shape, bool)
    left[[0, 0, 1], [0, 1, 2]] = True
    np.testing.assert_array_equal(found == 0, left)
    np.testing.assert_allclose(found.sum(1), 1.0, rtol=1e-5)


def test_a_blend_may_be_the_member_of_another():
    inner = {"model": "blend", "settings": BlendConfig(parts=PARTS).to_dict()}
    model = counted(Blend, parts=(inner, PARTS[1]), weights=(1.0, 0.5))
    assert model.config.max_length == 9
    members = [
        counted(Blend, parts=PARTS).score(Query.of(HISTORIES)).numpy(),
        counted(Pop).score(Query.of(HISTORIES)).numpy(),
    ]
    expected = log_softmax(members[0] + 0.5 * members[1])
    found = model.score(Query.of(HISTORIES))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_what_a_part_leaves_out_is_at_its_default():
    config = BlendConfig(parts=({"model": "markov", "settings": {}},))
    assert config.max_length == MarkovConfig().max_length


ROWS = 160
NONE = np.zeros([ROWS, 1], int)


def random_scores(members, seed=0):
    rng = np.random.default_rng(seed)
    return log_softmax(rng.normal(size=(members, ROWS, NUM_ITEMS)))


def drawn(logits, count=1, seed=1):
    """Returns items drawn by their logits, the first before the second."""
    rng = np.random.default_rng(seed)
    noisy = logits + rng.gumbel(size=logits.shape)
    return np.argsort(-noisy)[:, :count] + 1


def chosen(scores, targets, excluded=NONE, size=50):
    """Weights for the given log-probabilities; row i is asked for as item i."""
    batch = EvaluationBatch.of(
        tf.range(ROWS)[:, None],
        tf.constant(targets, tf.int32),
        tf.constant(excluded, tf.int32),
    )
    return choose_weights(
        lambda query: tf.gather(
            tf.constant(scores, tf.float32), query.history[:, 0], axis=1
        ),
        tf.data.Dataset.from_tensor_slices(batch).batch(size),
        "mrr@5",
        len(scores),
        scores.shape[2],
    )


def mrr(logits, targets):
    """MRR@5 of the first of the targets."""
    own = np.take_along_axis(logits, targets[:, :1] - 1, 1)
    ranks = 1 + np.sum(logits > own, 1)
    return np.mean(np.where(ranks <= 5, 1 / ranks, 0))


def test_what_errs_on_other_rows_is_added_and_noise_is_not():
    truth = random_scores(3)
    targets = drawn(3 * (truth[0] + truth[1]))
    # Flat and sharp: by how much they deviate does not matter.
    scores = log_softmax(np.array([0.01, 5.0, 1.0])[:, None, None] * truth)
    weights = chosen(scores, targets)
    assert weights[0] > 50 * weights[1] > 0
    assert weights[2] < 0.2 * weights[0] * 0.01
    alone = [mrr(member, targets) for member in scores]
    pooled = mrr(np.tensordot(weights, scores, 1), targets)
    assert pooled > 1.05 * max(alone)


def selected(scores, targets):
    """Ensemble selection in plain Python: how often each was added."""
    units = [scores[m].std(1).mean() for m in range(len(scores))]
    flat = [scores[m] / units[m] for m in range(len(scores))]
    added, rounds = [], []
    for _ in range(30):
        values = [
            mrr(sum(flat[m] for m in [*added, one]), targets)
            for one in range(len(flat))
        ]
        added.append(int(np.argmax(values)))
        rounds.append((max(values), -len(added)))
        if len(added) + max(rounds)[1] == 10:
            break
    best = added[: -max(rounds)[1]]
    return np.array([best.count(m) / units[m] for m in range(len(flat))])


def test_members_are_added_as_in_plain_python(monkeypatch):
    monkeypatch.setattr(pool_weights, "_STEPS", ())
    truth = random_scores(3)
    targets = drawn(3 * truth[0] + 2 * truth[1] + truth[2])
    scores = log_softmax(np.array([0.3, 4.0, 1.0])[:, None, None] * truth)
    expected, weights = selected(scores, targets), chosen(scores, targets)
    assert np.count_nonzero(expected) == 3
    np.testing.assert_allclose(
        weights / weights.sum(), expected / expected.sum(), rtol=1e-4
    )


def test_weights_are_moved_to_where_the_metric_is_best():
    best = np.array([0.9, 0.35, 0.0, 0.06])
    found = pool_weights._refine(
        lambda weights: -np.abs(weights - best).sum(),
        np.array([0.5, 0.5, 0.1, 0.2]),
    )
    # To the last step, 1.1.
    np.testing.assert_allclose(found, best, rtol=0.06)
    assert found[2] == 0


def test_what_was_never_added_comes_in_where_it_helps():
    best = np.array([0.9, 0.35, 0.2])
    found = pool_weights._refine(
        lambda weights: -np.abs(weights - best).sum(),
        np.array([0.9, 0.35, 0.0]),
    )
    np.testing.assert_allclose(found, best, rtol=0.06)


def test_what_does_not_help_stays_out_and_one_is_left_as_it_is():
    # Whoever is alone cannot leave, and its weight changes no rank.
    alone = np.array([0.0, 0.7])
    found = pool_weights._refine(lambda weights: -weights.sum(), alone)
    assert found.tolist() == [0.0, 0.7]
    both = np.array([0.3, 0.7, 0.0])
    found = pool_weights._refine(lambda weights: -weights.sum(), both)
    assert found.tolist() == [0.0, 0.7, 0.0]


def likelihood(scores, targets, excluded):
    """The mean over rows and targets, in plain Python."""
    rows = []
    for row, wanted, left in zip(scores, targets, excluded, strict=True):
        kept = np.delete(row, [item - 1 for item in left if item])
        known = [
            row[t - 1] for t in wanted if 0 < t <= NUM_ITEMS and t not in left
        ]
        if known:
            rows.append(np.mean(known) - np.log(np.sum(np.exp(kept))))
    return np.mean(rows)


def test_a_member_alone_gets_the_likeliest_temperature():
    (scores,) = random_scores(1)
    items = drawn(2.5 * scores, 3)
    # One item of each row is not ranked; some rows have a second target, which
    # may be one that training never saw, or the one that is not ranked.
    excluded = items[:, 2:]
    second = np.stack([NONE[:, 0], NONE[:, 0] + NUM_ITEMS + 1, *items.T[1:]])
    second = np.random.default_rng(2).permuted(second, axis=0)[0]
    targets = np.stack([items[:, 0], second], 1)
    found = chosen(scores[None], targets, excluded)
    expected = optimize.minimize_scalar(
        lambda a: -likelihood(a * scores, targets, excluded), bounds=(0.1, 10)
    ).x
    np.testing.assert_allclose(found, [expected], rtol=1e-3)
    assert expected > 1.5


def test_batches_of_any_size_choose_the_same():
    scores = random_scores(2)
    targets = drawn(2 * scores.sum(0))
    np.testing.assert_allclose(
        chosen(scores, targets, size=64),
        chosen(scores, targets, size=ROWS),
        rtol=1e-3,
    )


@pytest.mark.parametrize("size", [7, 8, ROWS])
def test_rows_from_all_over_choose_where_memory_ends(size, monkeypatch):
    scores = random_scores(2)
    # Every fourth row is of the second member.
    kind = np.arange(ROWS) % 4 == 0
    targets = np.where(
        kind[:, None], drawn(5 * scores[1]), drawn(5 * scores[0])
    )
    for memory in ("_MEMORY", "_WHOLE_MEMORY"):
        rows = ROWS // 4 * 2 * NUM_ITEMS * 4
        monkeypatch.setattr(pool_weights, memory, rows)
    first, second = chosen(scores, targets, size=size)
    assert second > 2 * first


def many_items(members, items=400):
    """Returns scores of many items, and batches in which some are excluded."""
    rng = np.random.default_rng(3)
    truth = rng.normal(size=(members, ROWS, items))
    scores = log_softmax(truth + rng.normal(size=(1, ROWS, items)))
    targets = drawn(2.0 * scores.sum(0), 3)
    excluded = np.concatenate([targets[:, 2:], drawn(scores[0], 5, 4)], 1)
    # Of some rows the second target is one that training never had, or none.
    targets[::3, 1], targets[1::3, 1] = items + 1, 0
    return scores.astype("f4"), targets.astype("i4"), excluded.astype("i4")


def test_the_best_items_of_each_member_are_enough(monkeypatch):
    scores, targets, excluded = many_items(2)
    monkeypatch.setattr(pool_weights, "_BEST", 400)
    expected = chosen(scores, targets, excluded)
    monkeypatch.setattr(pool_weights, "_BEST", 60)
    np.testing.assert_allclose(
        chosen(scores, targets, excluded), expected, rtol=1e-6
    )


def test_a_history_that_holds_every_item_changes_nothing():
    scores = random_scores(2)
    targets = drawn(2 * scores.sum(0))
    excluded = np.zeros([ROWS, NUM_ITEMS], int)
    whole = excluded.copy()
    whole[::40] = np.arange(NUM_ITEMS) + 1
    found = chosen(scores, targets, whole)
    # They are missed whatever the weights.
    kept = whole[:, 0] == 0
    batch = EvaluationBatch.of(
        tf.range(kept.sum())[:, None],
        *(tf.constant(rows[kept], tf.int32) for rows in (targets, excluded)),
    )
    expected = choose_weights(
        lambda _: tf.constant(scores[:, kept], tf.float32),
        tf.data.Dataset.from_tensors(batch),
        "mrr@5",
        2,
        NUM_ITEMS,
    )
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    # Nothing is known where all are so.
    whole[:] = np.arange(NUM_ITEMS) + 1
    assert np.all(np.isfinite(chosen(scores, targets, whole)))


def test_ranks_among_the_best_items_are_those_among_all():
    scores, targets, excluded = many_items(3)
    batch = EvaluationBatch.of(
        tf.range(ROWS)[:, None], *map(tf.constant, (targets, excluded))
    )
    read = pool_weights._read(
        lambda _: tf.constant(scores), [batch], 3, 400, 50
    )
    (best,), (whole,) = read.best, read.whole
    assert best.scores.shape[2] == 3 * 50 + targets.shape[1]
    assert whole.scores.shape[2] == 400
    few, all_of_them = (
        target_ranks(
            tf.tensordot(tf.constant([0.5, 1.0, 0.2]), rows.scores, 1),
            rows.targets,
            rows.excluded,
        ).numpy()
        for rows in (best, whole)
    )
    np.testing.assert_array_equal(few == 0, all_of_them == 0)
    np.testing.assert_array_equal(few == NEVER, all_of_them == NEVER)
    near = all_of_them <= 20
    assert np.sum(near & (all_of_them > 0)) > 50
    np.testing.assert_array_equal(few[near], all_of_them[near])
    assert np.all(few <= all_of_them)


def test_of_all_items_fewer_rows_are_kept(monkeypatch):
    scores, targets, excluded = many_items(2)
    batch = EvaluationBatch.of(
        tf.range(ROWS)[:, None], *map(tf.constant, (targets, excluded))
    )
    batches = tf.data.Dataset.from_tensor_slices(batch).batch(50)
    monkeypatch.setattr(pool_weights, "_WHOLE_MEMORY", 2 * 400 * 4 * 40)
    read = pool_weights._read(
        lambda query: tf.gather(scores, query.history[:, 0], axis=1),
        batches,
        2,
        400,
        20,
    )
    assert sum(rows.scores.shape[1] for rows in read.best) == ROWS
    kept = tf.concat([rows.scores for rows in read.whole], 1)
    np.testing.assert_array_equal(kept, scores[:, ::4])


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
