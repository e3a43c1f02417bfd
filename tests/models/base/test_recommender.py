"""Tests of what every model shares."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.prepared import prepare_sequences
from tfrec.batches import TrainingBatch
from tfrec.errors import InputError
from tfrec.models import get_model
from tfrec.models.base.items import (
    EXCLUDED,
    count_interactions,
    count_items,
    exclude,
    newest,
)
from tfrec.models.base.recommender import Recommender
from tfrec.models.configs.pop import PopConfig
from tfrec.models.markov import Markov


class Fixed(Recommender):
    """Scores items by their number, whatever the history."""

    config_class = PopConfig

    def score(self, query):
        """Returns rising scores."""
        scores = tf.range(self.num_items, dtype=tf.float32) - 10.0
        return tf.tile(scores[None], [tf.shape(query.history)[0], 1])


def test_the_newest_items_of_each_row_are_kept():
    history = tf.constant([[1, 2, 3, 4, 5], [6, 7, 0, 0, 0], [0, 0, 0, 0, 0]])
    np.testing.assert_array_equal(
        newest(history, 3), [[3, 4, 5], [6, 7, 0], [0, 0, 0]]
    )
    np.testing.assert_array_equal(newest(history, 9), history)


def test_excluded_items_score_below_all_others():
    scores = exclude(tf.zeros([2, 4]), tf.constant([[2, 2, 0], [0, 0, 0]]))
    expected = [[0, EXCLUDED, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(scores, expected)


def test_items_are_counted_without_padding():
    batch = TrainingBatch.of(tf.constant([[1, 3, 0], [3, 3, 0]]))
    batches = tf.data.Dataset.from_tensors(batch)
    np.testing.assert_array_equal(count_items(batches, 4), [1, 0, 3, 0])


def test_interactions_of_long_sequences_all_count(tmp_path):
    data = prepare_sequences(
        tmp_path, [[1] * 300 + [2], [2, 3]], tails=[[3], []], num_items=4
    )
    np.testing.assert_array_equal(count_interactions(data), [300, 2, 2, 0])


def test_recommend_leaves_the_history_out():
    items, scores = Fixed(6).recommend([[6, 4], [1]], k=2)
    np.testing.assert_array_equal(items, [[5, 3], [6, 5]])
    np.testing.assert_array_equal(scores, [[-6, -8], [-5, -6]])


def test_recommend_may_keep_the_history():
    items, _ = Fixed(6).recommend([[6]], k=1, exclude_history=False)
    assert items.tolist() == [[6]]


def test_a_history_may_be_empty_or_an_array():
    assert Fixed(3).recommend([[]], k=1)[0].tolist() == [[3]]
    assert Fixed(3).recommend(np.array([[3, 0]]), k=1)[0].tolist() == [[2]]


@pytest.mark.parametrize("k", [0, 7])
def test_k_beyond_the_items_is_refused(k):
    with pytest.raises(ValueError, match=rf"\(6\)\. Received: k={k}"):
        Fixed(6).recommend([[1]], k=k)


@pytest.mark.parametrize("index", [7, -1])
def test_an_index_beyond_the_items_is_refused(index):
    with pytest.raises(ValueError, match=rf"1 to 6\. Received: {index}"):
        Fixed(6).recommend([[3, index]], k=1)


@pytest.mark.parametrize("call", ["recommend", "predict"])
def test_padding_before_an_item_is_refused(call):
    ask = getattr(Fixed(10), call)
    ask(np.array([[5, 3, 0], [5, 0, 0], [0, 0, 0]]))
    with pytest.raises(ValueError, match=r'0 before an item.*padding="post"'):
        ask(np.array([[5, 3, 1], [0, 5, 3]]))


@pytest.mark.parametrize("rows", [[1, 2], [["a"]], [[1.5]], 3, [[[1]]], []])
def test_what_is_no_rows_of_indices_is_refused(rows):
    with pytest.raises(ValueError, match=r"must be rows of item indices"):
        Fixed(6).recommend(rows, k=1)


@pytest.mark.parametrize("index", [7, -1])
def test_predict_refuses_an_index_beyond_the_items(index):
    with pytest.raises(ValueError, match=rf"1 to 6\. Received: {index}"):
        Fixed(6).predict(np.array([[3, index]]))


def test_what_has_counted_nothing_recommends_nothing():
    for ask in (Markov(12).recommend, Markov(12).predict):
        with pytest.raises(InputError, match="Markov has counted nothing yet"):
            ask(np.array([[1, 2]]))


def test_a_model_needs_items():
    with pytest.raises(ValueError, match="Received: 0"):
        Fixed(0)


def test_a_typo_in_a_model_name_suggests_the_nearest():
    with pytest.raises(InputError, match=r"acve\. Did you mean"):
        get_model("acve")


@pytest.mark.parametrize("name", ["acvae", "vaser"])
def test_a_policy_that_would_compute_in_bfloat16_is_refused(name):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        with pytest.raises(InputError, match="float32"):
            get_model(name)(5)
    finally:
        keras.config.set_dtype_policy(before)
