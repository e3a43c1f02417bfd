import numpy as np
import pytest
import tensorflow as tf

from tfrec.batches import EvaluationBatch, Query, TrainingBatch
from tfrec.data import DataConfig, prepare
from tfrec.models.pop import Pop
from tfrec.training.strategy import make_strategy

# Item 3 five times, item 2 three times, 5 and 1 once, 4 and 6 never.
ITEMS = np.int32(
    [[3, 3, 2, 0], [3, 2, 5, 3], [2, 1, 0, 0], [3, 0, 0, 0]],
)
COUNTS = [1, 3, 5, 0, 1, 0]


def batches(batch_size):
    dataset = tf.data.Dataset.from_tensor_slices(
        TrainingBatch(
            ITEMS,
            np.full([4], 1 / batch_size, np.float32),
            np.zeros([4], np.int32),
            np.ones([4], np.float32),
        )
    )
    return dataset.batch(batch_size)


def fitted(batch_size=2, replicas=1):
    with make_strategy("mirrored" if replicas == 2 else "none").scope():
        model = Pop(num_items=6)
        model.compile(cutoffs=(1, 2))
    model.fit(batches(batch_size), verbose=0)
    return model


def test_fit_counts_every_item_but_padding():
    model = fitted()
    np.testing.assert_array_equal(model.counts, COUNTS)
    assert model.trainable_variables == []


def test_progress_shows_the_interactions_counted():
    model = fitted()
    history = model.fit(batches(2), epochs=2, verbose=0)
    assert history.history["interactions"] == [20, 30]


def test_scores_are_log_probabilities():
    scores = fitted().score(Query.of(tf.zeros([2, 0], tf.int32)))
    assert scores.dtype == tf.float32
    expected = np.maximum(COUNTS, 0.5) / 11
    np.testing.assert_allclose(np.exp(scores), [expected] * 2, rtol=1e-5)
    assert np.exp(scores[0]).sum() == pytest.approx(1, rel=1e-5)


def test_equals_are_ranked_by_the_vocabulary_and_items_never_seen_last():
    scores = fitted().score(Query.of([[0]]))[0].numpy()
    assert np.all(np.isfinite(scores))
    assert (np.argsort(-scores) + 1).tolist() == [3, 2, 1, 5, 4, 6]


def test_a_long_tie_ends_above_the_next_smaller_count():
    model = Pop(num_items=1_000_000)
    model.counts.assign(np.repeat([2, 1], 500_000))
    scores = model.score(Query.of([[0]]))[0].numpy()
    assert scores[:500_000].min() > scores[500_000:].max()


def test_large_counts_that_differ_do_not_tie():
    model = Pop(num_items=3)
    model.counts.assign([3_000_000, 3_000_001, 0])
    first, second, _ = model.score(Query.of([[0]]))[0].numpy()
    assert first < second


def test_counting_twice_changes_no_rank():
    model = fitted()
    once = model.recommend([[]], k=6)[0]
    model.fit(batches(2), verbose=0)
    np.testing.assert_array_equal(model.recommend([[]], k=6)[0], once)


def test_recommend_gives_the_most_popular_items_not_in_the_history():
    items, scores = fitted().recommend([[3], [2, 6]], k=2)
    np.testing.assert_array_equal(items, [[2, 1], [3, 1]])
    np.testing.assert_allclose(np.exp(scores[0]), [3 / 11, 1 / 11], rtol=1e-5)


def test_evaluate_ranks_the_targets():
    evaluation = tf.data.Dataset.from_tensors(
        EvaluationBatch.of(
            history=np.int32([[3, 0], [2, 3]]),
            targets=np.int32([[2, 4], [1, 0]]),
            excluded=np.int32([[3, 0], [2, 3]]),
        )
    )
    results = fitted().evaluate(evaluation, return_dict=True, verbose=0)
    # First row: item 2 is first, 4 fourth. Second row: item 1 is first, before
    # item 5, which occurs as often.
    assert results["recall@1"] == pytest.approx((1 / 2 + 1) / 2)
    assert results["recall@2"] == pytest.approx((1 / 2 + 1) / 2)
    assert results["mrr@2"] == pytest.approx(1)


def test_replicas_count_as_one_device_does():
    # A batch of 3, which the replicas share unequally, and a batch of 1.
    model = fitted(batch_size=3, replicas=2)
    for copy in model.distribute_strategy.experimental_local_results(
        model.counts.value
    ):
        np.testing.assert_array_equal(copy, COUNTS)
    assert model.history.history["interactions"] == [10]


def test_replicas_evaluate_as_one_device_does():
    evaluation = tf.data.Dataset.from_tensor_slices(
        EvaluationBatch.of(
            history=np.int32([[3], [3], [2], [2], [1]]),
            targets=np.int32([[2], [2], [1], [4], [5]]),
            excluded=np.int32([[3], [3], [2], [2], [1]]),
        )
    )
    # The replicas share batches of 4 and 1: the latter leaves one of them
    # without a row, and the mean of their means is not the mean.
    results, expected = (
        fitted(replicas=replicas).evaluate(
            evaluation.batch(4), return_dict=True, verbose=0
        )
        for replicas in (2, 1)
    )
    assert results == pytest.approx(expected)


def test_counts_are_saved_with_the_weights(tmp_path):
    file = tmp_path / "pop.weights.h5"
    fitted().save_weights(file)
    model = Pop(num_items=6)
    model.load_weights(file)
    np.testing.assert_array_equal(model.counts, COUNTS)


@pytest.mark.parametrize(
    ("dataset", "truncate", "recall", "ndcg", "mrr"),
    [
        (
            "ml-latest-small",
            200,
            [0.028, 0.045, 0.070],
            [0.058, 0.056, 0.062],
            [0.114, 0.123, 0.130],
        ),
        pytest.param(
            "ml-1m",
            0,
            [0.023, 0.042, 0.082],
            [0.076, 0.075, 0.084],
            [0.139, 0.153, 0.165],
            marks=pytest.mark.long,
        ),
        (
            "ml-1m",
            201,
            [0.022, 0.041, 0.079],
            [0.059, 0.060, 0.070],
            [0.112, 0.126, 0.138],
        ),
    ],
)
def test_the_known_scores_are_reproduced(
    dataset, truncate, recall, ndcg, mrr, real_data, tmp_path
):
    data = prepare(
        DataConfig(
            dataset=dataset,
            raw_dir=real_data / dataset,
            data_dir=tmp_path / "data",
            truncate_before_split=truncate,
        )
    )
    model = Pop(data.num_items)
    model.compile()
    whole = model.config.max_length
    model.fit(data.training(max_length=whole, fit_on="all"), verbose=0)
    results = model.evaluate(
        data.evaluation("test"), return_dict=True, verbose=0
    )
    for metric, expected in (("recall", recall), ("ndcg", ndcg), ("mrr", mrr)):
        found = [round(results[f"{metric}@{k}"], 3) for k in (5, 10, 20)]
        assert found == expected, metric
