"""The ranking metrics against a slow reference that reads like the text."""

import math
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.properties import examples
from tfrec.errors import InputError
from tfrec.metrics import ranking
from tfrec.metrics.popularity import group_names, popularity_of
from tfrec.metrics.ranking import (
    MRR,
    NDCG,
    NEVER,
    Recall,
    target_ranks,
    target_ranks_in_blocks,
)
from tfrec.training.strategy import make_strategy

NONE = np.zeros([1, 0], np.int32)


def reference_rank(scores, target, excluded):
    if target in excluded or target > len(scores):
        return NEVER
    greater = equal = 0
    for column, score in enumerate(scores):
        item = column + 1
        if item in excluded or item == target:
            continue
        greater += score > scores[target - 1]
        equal += score == scores[target - 1]
    return 1 + greater + math.ceil(equal / 2)


def reference_ranks(scores, targets, excluded):
    return [
        [reference_rank(row, t, set(ex)) if t else 0 for t in ts]
        for row, ts, ex in zip(scores, targets, excluded, strict=True)
    ]


def reference_metrics(rank_rows, k):
    recall, ndcg, mrr = [], [], []
    for row in rank_rows:
        ranks = sorted(r for r in row if r > 0)
        if not ranks:
            continue
        hits = [r for r in ranks if r <= k]
        recall.append(len(hits) / len(ranks))
        ideal = [1 / math.log2(1 + r) for r in range(1, len(ranks) + 1)][:k]
        ndcg.append(sum(1 / math.log2(1 + r) for r in hits) / sum(ideal))
        mrr.append(1 / hits[0] if hits else 0)
    return [np.mean(values or [0]) for values in (recall, ndcg, mrr)]


def average(metric, *rank_batches):
    for ranks in rank_batches:
        metric.update_state(tf.constant(ranks, tf.int32))
    return float(metric.result())


# Levels for ties, and nothing to compute with. TensorFlow takes subnormal
# numbers for zeros.
SCORES = st.sampled_from([-np.inf, 0.0, 1.0, np.inf]) | st.floats(
    allow_nan=False, allow_subnormal=False, width=32
)


@st.composite
def rankings(draw):
    """Draws scores, targets (of which some were never seen), and excluded."""
    num_items = draw(st.integers(1, 12))
    rows = draw(st.integers(1, 4))

    def items(most, last, **settings):
        each = st.lists(st.integers(0, last), max_size=most, **settings)
        drawn = draw(st.lists(each, min_size=rows, max_size=rows))
        return np.int32([row + [0] * (most - len(row)) for row in drawn])

    return (
        draw(arrays(np.float32, [rows, num_items], elements=SCORES)),
        items(num_items + 2, num_items + 1, unique=True),
        items(draw(st.integers(0, 9)), num_items),
        # Items of a block: not so few that there are many blocks.
        draw(st.integers(-(-num_items // 4), num_items + 1)),
    )


@examples(10)
@given(rankings(), st.sampled_from([1, 9, 2**20]))
def test_property_ranks_equal_the_reference(ranking_, compared_at_once):
    scores, targets, excluded, block = ranking_

    def score(start, stop):
        tf.debugging.assert_less_equal(stop - start, block)
        return tf.constant(scores)[:, start:stop]

    with mock.patch.object(ranking, "_COMPARED_AT_ONCE", compared_at_once):
        ranks = target_ranks(scores, targets, excluded)
        in_blocks = target_ranks_in_blocks(
            score, scores.shape[1], block, targets, excluded
        )
    expected = reference_ranks(scores, targets, excluded)
    assert ranks.dtype == tf.int32
    np.testing.assert_array_equal(ranks, expected)
    np.testing.assert_array_equal(in_blocks, expected)


def test_ranks_in_a_graph_of_unknown_shapes():
    spec = tf.TensorSpec([None, None], tf.int32)
    ranks = tf.function(
        target_ranks,
        input_signature=[tf.TensorSpec([None, None]), spec, spec],
    )
    scores = np.float32([[0.1, 0.5, 0.3], [3, 2, 1]])
    no_targets = ranks(scores, np.zeros([2, 0]), np.zeros([2, 0]))
    assert no_targets.shape == [2, 0]
    # What is left for a replica when a batch has fewer rows than replicas.
    no_rows = ranks(np.zeros([0, 3]), np.zeros([0, 2]), np.zeros([0, 2]))
    assert no_rows.shape == [0, 2]
    np.testing.assert_array_equal(
        ranks(scores, [[1, 3], [3, 0]], [[2], [0]]), [[2, 1], [3, 0]]
    )


@pytest.mark.parametrize("num_items", [1, 10, 11])
def test_constant_scores_give_chance_level(num_items):
    targets = np.arange(1, num_items + 1)[None]
    ranks = target_ranks(np.zeros([1, num_items]), targets, NONE)
    assert np.all(ranks == 1 + math.ceil((num_items - 1) / 2))


def test_neighbouring_floats_are_no_ties():
    # Their difference is denormal, and TensorFlow flushes those to zero.
    scores = np.float32(
        [[2e-38, np.nextafter(np.float32(2e-38), np.float32(1))]]
    )
    ranks = target_ranks(scores, [[1, 2]], NONE)
    np.testing.assert_array_equal(ranks, [[2, 1]])


def test_excluded_items_leave_the_ranking_and_are_never_hit():
    ranks = target_ranks(np.float32([[4, 3, 2, 1]]), [[3, 1]], [[1, 0, 1]])
    np.testing.assert_array_equal(ranks, [[2, NEVER]])
    for metric in (Recall(10**6), NDCG(10**6), MRR(10**6)):
        assert average(metric, [[NEVER]]) == 0


@pytest.mark.parametrize("column", [0, 3])
def test_a_nan_score_is_an_error(column):
    scores = np.ones([2, 4], np.float32)
    scores[1, column] = np.nan
    with pytest.raises(tf.errors.InvalidArgumentError, match="is NaN"):
        tf.function(target_ranks)(scores, [[1], [1]], [[4], [4]])


def test_an_index_beyond_the_items_is_an_error():
    scores = np.ones([1, 4], np.float32)
    with pytest.raises(tf.errors.InvalidArgumentError, match="A target"):
        target_ranks(scores, [[6]], NONE)
    with pytest.raises(tf.errors.InvalidArgumentError, match="excluded"):
        target_ranks(scores, [[1]], [[5]])


def test_a_target_never_seen_in_training_is_a_miss():
    scores = np.float32([[1, 2, 3, 4], [4, 3, 2, 1]])
    ranks = target_ranks(scores, [[5, 4], [5, 0]], np.zeros([2, 0], np.int32))
    np.testing.assert_array_equal(ranks, [[NEVER, 1], [NEVER, 0]])
    # It counts as a target, and hits nothing.
    assert average(Recall(4), ranks) == pytest.approx(0.25)
    assert average(MRR(4), ranks) == pytest.approx(0.5)


@st.composite
def rank_batches(draw):
    """Draws batches of ranks, distinct in a row as without ties."""
    rank = st.integers(1, 30) | st.just(NEVER)
    batches = []
    for width in draw(st.lists(st.integers(0, 6), min_size=1, max_size=3)):
        row = st.lists(rank, max_size=width, unique=True)
        rows = draw(st.lists(row, min_size=1, max_size=6))
        padded = [each + [0] * (width - len(each)) for each in rows]
        batches.append(np.int32(padded).reshape([len(rows), width]))
    return batches


@examples(10)
@given(rank_batches(), st.integers(1, 32))
def test_property_metrics_equal_the_reference(batches, k):
    expected = reference_metrics([r for b in batches for r in b], k)
    for metric, value in zip((Recall, NDCG, MRR), expected, strict=True):
        assert average(metric(k), *batches) == pytest.approx(value, rel=1e-6)


def test_rows_without_targets_are_not_counted():
    for metric in (Recall(5), NDCG(5), MRR(5)):
        assert average(metric, [[0, 0]], [[1, 2]], [[0]]) == 1
        metric.reset_state()
        assert average(metric, np.zeros([3, 0])) == 0


def test_tied_targets_fill_no_more_than_k_places():
    ranks = target_ranks(np.zeros([1, 15]), [range(1, 16)], NONE)
    np.testing.assert_array_equal(ranks, [[8] * 15])
    assert average(Recall(10), ranks) == pytest.approx(10 / 15)
    assert average(NDCG(10), ranks) == 1


def test_metrics_sum_over_replicas():
    strategy = make_strategy("mirrored")
    with strategy.scope():
        metric = Recall(5)
    assert metric.name == "recall@5"
    # Unequal numbers of rows, and a row without targets on one replica.
    per_replica = [tf.constant([[1], [9]]), tf.constant([[2], [0], [8]])]
    ranks = strategy.experimental_distribute_values_from_function(
        lambda context: per_replica[context.replica_id_in_sync_group]
    )
    tf.function(lambda r: strategy.run(metric.update_state, [r]))(ranks)
    assert float(metric.result()) == pytest.approx(2 / 4)


@pytest.mark.parametrize("k", [0, -1, 2.5])
def test_a_cutoff_is_a_positive_integer(k):
    with pytest.raises(InputError, match=f"Received: k={k}"):
        NDCG(k)


def test_a_metric_is_rebuilt_from_its_config():
    metric = MRR.from_config(MRR(7).get_config())
    assert (metric.k, metric.name) == (7, "mrr@7")


def test_a_nan_in_any_block_is_an_error():
    scores = np.ones([1, 9], np.float32)
    scores[0, 8] = np.nan
    with pytest.raises(tf.errors.InvalidArgumentError, match="is NaN"):
        target_ranks_in_blocks(
            lambda start, stop: tf.constant(scores)[:, start:stop],
            9,
            4,
            [[1]],
            NONE,
        )


def test_groups_of_items_that_are_as_popular_have_names_of_their_own():
    counts = np.full(20, 3.0)
    names = group_names(counts, popularity_of(counts))
    assert list(names.values()) == [
        "4 items, 3 times",
        *(f"4 items, 3 times ({n})" for n in (2, 3, 4, 5)),
    ]
