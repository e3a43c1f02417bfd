"""What every model promises as a citizen of Keras, and when it is served."""

import json
import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.contract import (
    NUM_ITEMS,
    base,
    epoch,
    evaluation_batch,
    make,
    optimizer_state,
    query,
    weights,
)
from tfrec.batches import Query
from tfrec.errors import InputError
from tfrec.models.base.items import EXCLUDED
from tfrec.serving.exporting import describe, export
from tfrec.training import Run, TrainingConfig


@pytest.fixture
def model(fitted):
    return fitted.model


@pytest.fixture
def scores(model):
    return model.score(query()).numpy()


def assert_near(one, two):
    np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-5)


def test_a_model_is_made_again_from_its_configuration(model):
    config = json.loads(json.dumps(model.get_config()))
    again = type(model).from_config(config)
    assert again.get_config() == model.get_config()
    assert again.config == model.config
    shapes = [tuple(v.shape) for v in model.variables]
    assert [tuple(v.shape) for v in again.variables] == shapes


@pytest.fixture(scope="module")
def loaded_models():
    """Models that were loaded so far, by their file."""
    return {}


@pytest.fixture
def loaded(fitted, loaded_models):
    """What `ModelCheckpoint` wrote in `fit`, loaded; not to be changed."""
    if fitted.saved not in loaded_models:
        loaded_models.clear()
        loaded_models[fitted.saved] = keras.saving.load_model(fitted.saved)
    return loaded_models[fitted.saved]


def test_a_saved_model_is_the_model(fitted, loaded, scores):
    model = fitted.model
    assert type(loaded) is type(model)
    np.testing.assert_array_equal(loaded.score(query()), scores)
    assert loaded.optimizers.keys() == model.optimizers.keys()
    # With them the number of steps taken.
    for one, two in zip(
        [*weights(model), *optimizer_state(model)],
        [*weights(loaded), *optimizer_state(loaded)],
        strict=True,
    ):
        np.testing.assert_array_equal(one, two)
    assert loaded.needs_adapt == model.needs_adapt
    assert loaded.cutoffs == model.cutoffs


@pytest.mark.each_kind
def test_an_epoch_before_was_saved_as_it_was(fitted, scores):
    earlier = keras.saving.load_model(fitted.saved.with_stem("01"))
    found = earlier.score(query()).numpy()
    if fitted.model.one_pass:
        # One epoch taught all; a second changes no rank.
        found, scores = np.argsort(found), np.argsort(scores)
        np.testing.assert_array_equal(found, scores)
    else:
        assert np.abs(found - scores).max() > 1e-4


@pytest.mark.each_kind
def test_weights_are_saved_and_loaded(name, model, scores, tmp_path):
    path = tmp_path / "model.weights.h5"
    model.save_weights(path)
    other = make(name)
    assert not np.allclose(other.score(query()), scores, atol=1e-4)
    other.load_weights(path)
    np.testing.assert_array_equal(other.score(query()), scores)


@pytest.mark.each_kind
def test_histories_alone_are_answered_for_an_unknown_user(loaded):
    history = query().history
    unknown = loaded.score(Query.of(history))
    assert_near(loaded(history), unknown)
    # Traced: a server of Keras models runs it so.
    assert_near(loaded.predict(history.numpy(), verbose=0), unknown)


@pytest.mark.each_kind
def test_a_dataset_is_answered_row_by_row(loaded, scores):
    loaded.compile(run_eagerly=True)
    data = tf.data.Dataset.from_tensors(evaluation_batch())
    found = loaded.predict(data.unbatch().batch(2), verbose=0)
    assert_near(found, scores)
    assert_near(loaded(query()), scores)


class Sum(keras.metrics.Sum):
    """Adds up what a function makes of relevant items and scores."""

    def __init__(self, function):
        super().__init__(function.__name__)
        self.function = function

    def update_state(self, y_true, y_pred, sample_weight=None):
        assert y_true.shape[1:] == y_pred.shape[1:] == (NUM_ITEMS,)
        super().update_state(self.function(y_true, y_pred))


def relevant(y_true, y_pred):
    return y_true


def score(y_true, y_pred):
    return tf.where(y_true > 0, y_pred, 0.0)


def left_out(y_true, y_pred):
    return tf.cast(y_pred <= EXCLUDED, tf.float32)


@pytest.mark.each_kind
def test_metrics_of_keras_get_relevant_items_and_scores(loaded, scores):
    batch = evaluation_batch()
    last = NUM_ITEMS + 1  # Of an item that training never saw: not relevant.
    batch = batch._replace(
        targets=tf.concat([batch.targets, tf.fill([5, 1], last)], 1)
    )
    sums = [Sum(each) for each in (relevant, score, left_out)]
    loaded.compile(metrics=sums, cutoffs=(5,), run_eagerly=True)
    data = tf.data.Dataset.from_tensors(batch)
    found = loaded.evaluate(data, verbose=0, return_dict=True)
    rows, columns = np.nonzero(
        (batch.targets > 0) & (batch.targets <= NUM_ITEMS)
    )
    items = batch.targets.numpy()[rows, columns]
    out = {
        (row, item)
        for row, history in enumerate(batch.excluded.numpy())
        for item in history[history > 0]
    }
    assert not out & set(zip(rows, items, strict=True))
    np.testing.assert_allclose(found["relevant"], len(items))
    total = scores[rows, items - 1].sum()
    np.testing.assert_allclose(found["score"], total, rtol=1e-5)
    np.testing.assert_allclose(found["left_out"], len(out))
    assert {"recall@5", "ndcg@5", "mrr@5"} < set(found)


@pytest.mark.each_kind
def test_a_metric_of_keras_agrees_with_ours(loaded, scores):
    batch = evaluation_batch()
    batch = batch._replace(targets=batch.targets[:, :1])
    # It takes ties for hits, and ours for chance.
    own = np.take_along_axis(scores, batch.targets.numpy() - 1, 1)
    alone = (scores == own).sum(1) == 1
    if not alone.any():
        pytest.skip("every target is tied")
    batch = type(batch)(*(tf.boolean_mask(x, alone) for x in batch))
    ks = range(1, NUM_ITEMS, 4)
    loaded.compile(
        metrics=[
            keras.metrics.TopKCategoricalAccuracy(k, name=f"top{k}") for k in ks
        ],
        cutoffs=ks,
        run_eagerly=True,
    )
    data = tf.data.Dataset.from_tensors(batch)
    found = loaded.evaluate(data, verbose=0, return_dict=True)
    for k in ks:
        np.testing.assert_allclose(found[f"top{k}"], found[f"recall@{k}"])


@pytest.mark.each_kind
def test_a_saved_model_is_trained_on(loaded, walks):
    # The last that reads it, since it changes it.
    loaded.compile(run_eagerly=True)
    data = epoch(walks).take(1)
    logs = loaded.fit(data, verbose=0, shuffle=False).history
    assert all(np.isfinite(values).all() for values in logs.values())


def test_a_loss_of_keras_is_refused(name):
    with pytest.raises(InputError, match=r"objective of its own.*mse"):
        make(name).compile(loss="mse")


@pytest.mark.each_kind
def test_an_export_answers_as_the_model(fitted, name, walks, tmp_path):
    config = TrainingConfig(model=base(name), verbose="none")
    run = Run(Path("runs", name), fitted.model, walks, config)
    # Verified within, on histories of every length.
    version = export(run, tmp_path, k=3)
    found = set(re.findall(r"^[a-z]\w+", describe(version), re.MULTILINE))
    assert found >= {"score", "serving_default"}
    has_latent = fitted.model.latent() is not None
    assert ({"encode", "sample"} <= found) == has_latent
