"""Tests of what the count models share."""

import collections
import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.counts import NUM_ITEMS, SESSIONS, batches, counted, table
from tests.flagfiles import CONFIGS, read_flagfile
from tfrec.batches import EvaluationBatch, Query
from tfrec.data import prepare
from tfrec.errors import InputError
from tfrec.models import ItemKNN, Markov, Rules, get_model
from tfrec.models.base import counting
from tfrec.models.base.counting import PairCounts
from tfrec.training.strategy import make_strategy

ALL = pytest.mark.parametrize("model_class", [Markov, Rules, ItemKNN])
HISTORIES = Query.of([[1, 2, 3], [4, 0, 0], [6, 9, 0], [0, 0, 0]])


def test_pairs_are_added_up_however_often_they_are_merged(monkeypatch):
    monkeypatch.setattr(counting, "_AT_ONCE", 5)
    rng = np.random.default_rng(0)
    counts, expected = PairCounts(6), collections.Counter()
    for weight in (1.0, 0.5, 0.25) * 10:
        first, second = rng.integers(1, 7, [2, 4])
        counts.add(first, second, weight)
        for pair in zip(first.tolist(), second.tolist(), strict=True):
            expected[pair] += weight
    first, second, strength = (part.tolist() for part in counts.total())
    pairs = list(zip(first, second, strict=True))
    assert pairs == sorted(expected)
    assert strength == [expected[pair] for pair in pairs]


def test_keys_of_a_million_items_do_not_overflow():
    counts = PairCounts(1_000_000)
    million = np.int32([1_000_000])
    counts.add(million, million)
    assert [part.tolist() for part in counts.total()] == [
        [1_000_000],
        [1_000_000],
        [1.0],
    ]


@ALL
def test_scores_are_log_probabilities(model_class):
    scores = counted(model_class).score(HISTORIES)
    assert scores.dtype == tf.float32
    assert scores.shape == [4, NUM_ITEMS]
    np.testing.assert_allclose(np.exp(scores).sum(1), 1, rtol=1e-5)


@ALL
def test_only_the_last_item_counts_whatever_the_padding(model_class):
    model = counted(model_class)
    expected = model.score(Query.of([[3], [4], [9], [0]]))
    np.testing.assert_array_equal(model.score(HISTORIES), expected)


@ALL
def test_an_empty_history_has_the_most_popular_items(model_class):
    model = counted(model_class)
    (scores,) = np.exp(model.score(Query.of(tf.zeros([1, 0], tf.int32))))
    seen = np.bincount(np.concatenate(SESSIONS), minlength=NUM_ITEMS + 1)[1:]
    expected = np.maximum(seen, 0.5)
    np.testing.assert_allclose(scores, expected / expected.sum(), rtol=1e-5)
    assert model.recommend([[]], k=1)[0].tolist() == [[2]]


@ALL
def test_items_that_never_followed_come_last_by_popularity(model_class):
    model = counted(model_class)
    popularity = np.array(model.popularity)
    for item, row in table(model).items():
        (scores,) = model.score(Query.of([[item]])).numpy()
        known = [j - 1 for j in row]
        rest = sorted(set(range(NUM_ITEMS)) - set(known))
        assert scores[known].min() > scores[rest].max()
        for a in rest:
            for b in rest:
                assert (scores[a] > scores[b]) == (
                    popularity[a] > popularity[b]
                )


def test_an_item_that_everything_followed_leaves_nothing_over():
    model = counted(Markov, [[1, 1, 2], [1, 2]], num_items=2)
    np.testing.assert_allclose(
        np.exp(model.score(Query.of([[1]]))), [[1 / 3, 2 / 3]], rtol=1e-6
    )


@ALL
def test_batches_do_not_change_what_is_counted(model_class):
    model, other = counted(model_class), model_class(NUM_ITEMS)
    other.adapt(batches(SESSIONS[::-1], batch_size=1))
    assert table(other) == table(model)


def test_counting_again_starts_again():
    model = counted(Markov)
    expected = table(model)
    model.adapt(batches())
    model.fit(batches(), epochs=2, verbose=0)
    assert table(model) == expected


def test_the_table_is_sparse():
    model = counted(Markov, num_items=1_000_000)
    # Two counts for each item, and the pairs.
    pairs = sum(len(row) for row in table(model).values())
    assert model.count_params() == 2_000_002 + 2 * pairs


def test_progress_shows_the_pairs_counted():
    model = counted(Markov)
    history = model.fit(batches(), verbose=0).history
    assert history["pairs"] == [sum(len(row) for row in table(model).values())]


def test_fit_counts_what_was_not_counted_yet():
    model = Markov(NUM_ITEMS)
    model.compile()
    assert model.needs_adapt
    model.fit(batches(), verbose=0)
    assert table(model) == table(counted(Markov))
    assert not model.needs_adapt


def test_fit_does_not_count_what_was_counted():
    model = counted(Markov)
    expected = table(model)
    model.fit(batches(SESSIONS[:1]), verbose=0)
    assert table(model) == expected


def test_fit_on_what_has_no_end_asks_for_adapt():
    model = Markov(NUM_ITEMS)
    model.compile()
    with pytest.raises(InputError, match="Call `adapt`"):
        model.fit(batches().repeat(), verbose=0)
    model.fit(batches().repeat(), steps_per_epoch=2, verbose=0)
    assert table(model) == table(counted(Markov))


def test_replicas_count_and_score_as_one_device_does():
    evaluation = tf.data.Dataset.from_tensor_slices(
        EvaluationBatch.of(
            history=np.int32([[1, 2], [4, 0], [6, 3], [0, 0], [5, 1]]),
            targets=np.int32([[3], [4], [8], [1], [NUM_ITEMS + 1]]),
            excluded=np.zeros([5, 0], np.int32),
        )
    ).batch(4)
    expected = counted(Rules)
    with make_strategy("mirrored").scope():
        model = Rules(NUM_ITEMS)
        model.compile(cutoffs=(1, 2))
    # As the training does, outside of the scope.
    model.adapt(batches())
    history = model.fit(batches(batch_size=3), verbose=0).history
    assert history["pairs"] == [len(expected.followers.numpy())]
    for name in model.tables:
        for copy in model.distribute_strategy.experimental_local_results(
            model.tables[name]
        ):
            np.testing.assert_array_equal(copy, expected.tables[name])
    results, others = (
        m.evaluate(evaluation, return_dict=True, verbose=0)
        for m in (model, expected)
    )
    assert results == pytest.approx(others)


@ALL
def test_counts_are_saved_with_the_weights(model_class, tmp_path):
    file = tmp_path / "counts.weights.h5"
    model, other = counted(model_class), model_class(NUM_ITEMS)
    model.save_weights(file)
    other.load_weights(file)
    np.testing.assert_array_equal(
        other.score(HISTORIES), model.score(HISTORIES)
    )


@ALL
def test_scores_are_exported_without_python(model_class, tmp_path):
    model, module = counted(model_class), tf.Module()
    module.model = model
    module.score = tf.function(
        lambda history: model.score(Query.of(history)),
        input_signature=[tf.TensorSpec([None, None], tf.int32)],
    )
    tf.saved_model.save(module, tmp_path)
    served = tf.saved_model.load(tmp_path)
    expected = model.score(HISTORIES)
    np.testing.assert_array_equal(served.score(HISTORIES.history), expected)
    graph = module.score.get_concrete_function().graph
    used = {node.type for node in graph.get_operations()}
    assert not {name for name in used if "PyFunc" in name}


@pytest.fixture(scope="module")
def yoochoose(real_data, tmp_path_factory):
    """Prepares what a configuration asks for, once."""
    prepared = {}
    folder = tmp_path_factory.mktemp("yoochoose")

    def read(config):
        config = dataclasses.replace(
            config,
            raw_dir=str(real_data / "yoochoose1_64"),
            data_dir=str(folder / "data"),
        )
        if config not in prepared:
            prepared[config] = prepare(config)
        return prepared[config]

    return read


@pytest.mark.parametrize(
    ("name", "changes", "recall", "mrr"),
    # The same to four decimals as counted and ranked in plain Python.
    [
        ("markov", (), 0.64940, 0.29159),
        *(
            pytest.param(*values, marks=pytest.mark.long)
            for values in (
                ("rules", (), 0.66843, 0.29446),
                ("rules", ("--noevery_item_votes",), 0.67138, 0.30119),
                ("itemknn", (), 0.52841, 0.22319),
            )
        ),
    ],
)
def test_the_configurations_have_their_scores(
    name, changes, recall, mrr, yoochoose
):
    config, training, model_config = read_flagfile(
        CONFIGS / name / "yoochoose_1_64.flags", *changes
    )
    data = yoochoose(config)
    model = get_model(training.model)(data.num_items, model_config)
    model.compile(cutoffs=(20,))
    model.adapt(
        data.training(
            training.batch_size, model_config.max_length, fit_on=training.fit_on
        )
    )
    results = model.evaluate(
        data.evaluation("test"), return_dict=True, verbose=0
    )
    assert results["recall@20"] == pytest.approx(recall, abs=1e-5)
    assert results["mrr@20"] == pytest.approx(mrr, abs=1e-5)
