"""What every model promises of its training."""

import dataclasses
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import config as framework

from tests.models import contract
from tests.models.contract import (
    HISTORIES,
    has,
    learns,
    losses,
    make,
    query,
    silence,
    training_batch,
    weights,
)
from tfrec.models import MODELS
from tfrec.training import TrainingConfig, train
from tfrec.training.checkpoints import newest_checkpoint
from tfrec.training.strategy import make_strategy

# The full softmax is that of `fitted`; the others are the same for all models.
SAMPLED = [name for name in MODELS if "sampled_softmax" in losses(name)]


class Stopped(BaseException):
    """What no handler catches, as `kill -9`."""


def test_each_kind_is_a_model():
    assert set(contract.KINDS) <= {*MODELS, *contract.VARIANTS}
    assert set(contract.STEPS) < set(contract.KINDS)


def test_fit_needs_no_more_than_compile(fitted):
    assert not fitted.model.needs_adapt
    after = fitted.model.score(query()).numpy()
    assert np.abs(after - fitted.before).max() > 1e-3


def test_every_number_of_an_epoch_is_finite(fitted):
    assert fitted.logs
    for name, values in fitted.logs.items():
        assert len(values) == 2
        assert np.isfinite(values).all(), name
    if learns(fitted.model):
        assert set(fitted.logs) == set(fitted.model.terms)


def test_training_lowers_the_loss(fitted):
    if not learns(fitted.model):
        pytest.skip("the model has no objective")
    assert contract.loss(fitted.model) < fitted.loss_before


def test_steps_are_counted(fitted, walks):
    if learns(fitted.model):
        steps = walks.steps_per_epoch(contract.BATCH_SIZE)
        assert int(fitted.model.steps) == 2 * steps


def test_one_pass_counts_everything_in_any_order(fitted, name, walks):
    model = fitted.model
    if not model.one_pass:
        pytest.skip("the model gains by more epochs")

    def order(batches):
        other = make(name)
        other.compile()
        other.fit(batches, verbose=0, shuffle=False)
        return np.argsort(other.score(query()), kind="stable")

    expected = np.argsort(model.score(query()), kind="stable")
    # Two epochs in small batches taught no more than one in a large one.
    np.testing.assert_array_equal(order(contract.epoch(walks, 64)), expected)
    assert (order(contract.epoch(walks).take(2)) != expected).any()


def terms(model, batch):
    """Returns the terms of the objective, without dropout."""
    return {
        name: float(value)
        for name, value in model.objective(batch, training=False).items()
    }


def test_the_objective_is_a_sum_over_rows_by_their_weight(fitted, monkeypatch):
    if not learns(fitted.model):
        pytest.skip("the model has no objective")
    silence(monkeypatch)
    batch = training_batch()
    first = tf.range(len(HISTORIES)) < 2
    whole = terms(fitted.model, batch)
    assert set(whole) >= set(fitted.model.terms)
    parts = [
        terms(
            fitted.model,
            batch._replace(weight=tf.where(chosen, batch.weight, 0.0)),
        )
        for chosen in (first, ~first)
    ]
    for name, value in whole.items():
        total = parts[0][name] + parts[1][name]
        np.testing.assert_allclose(total, value, rtol=1e-4, err_msg=name)


def test_padding_a_training_batch_changes_no_term(fitted, monkeypatch):
    if not learns(fitted.model):
        pytest.skip("the model has no objective")
    silence(monkeypatch)
    short = terms(fitted.model, training_batch())
    assert abs(short["loss"]) > 1e-3
    long = terms(fitted.model, training_batch(extra=5))
    for name, value in short.items():
        np.testing.assert_allclose(long[name], value, rtol=1e-5, err_msg=name)


@pytest.mark.each_kind
@pytest.mark.parametrize("name", SAMPLED)
def test_the_sampled_softmax_trains(name):
    model = make(name, loss="sampled_softmax", negatives=5)
    # Eagerly: a step would take longer to trace than to run.
    model.compile(run_eagerly=True)
    before = weights(model)
    data = tf.data.Dataset.from_tensors(training_batch())
    logs = model.fit(data, verbose=0, shuffle=False).history
    for term, values in logs.items():
        assert np.isfinite(values).all(), term
    after = weights(model)
    assert all(np.isfinite(value).all() for value in after)
    pairs = zip(before, after, strict=True)
    assert not all(np.array_equal(*pair) for pair in pairs)
    scores = model.score(query())
    np.testing.assert_allclose(np.exp(scores).sum(1), 1.0, rtol=1e-4)


def fitted_on(distribution, name, data):
    """Returns what two steps and an evaluation leave on some devices."""
    with make_strategy(distribution).scope():
        # A strategy cannot let players take turns.
        together = {}
        if has(name, "alternate_updates"):
            together["alternate_updates"] = False
        model = make(name, still=True, **together)
        chosen = {}
        if learns(model):
            # Adam would divide rounding errors by their own size.
            chosen["optimizer"] = keras.optimizers.SGD(0.1)
        # Graphs on several devices are those of tests/training.
        model.compile(run_eagerly=True, **chosen)
    # Of one epoch whoever reads it, and however often: `adapt` does so too.
    batches = data.training(14, contract.MAX_LENGTH, epochs=1)
    logs = model.fit(batches, verbose=0, shuffle=False).history
    logs |= {"tokens": [model.tokens.result()]}
    # As one batch, which two cannot halve.
    examples = data.evaluation("test", contract.NUM_USERS)
    found = model.evaluate(examples, verbose=0)
    return model, weights(model), logs, found


@pytest.mark.each_step
def test_two_devices_train_as_one_does(name, walks, monkeypatch):
    silence(monkeypatch)
    _, one, logs, found = fitted_on("none", name, walks)
    model, two, logs_of_two, found_by_two = fitted_on("mirrored", name, walks)
    assert model.distribute_strategy.num_replicas_in_sync == 2
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    assert logs.keys() == logs_of_two.keys()
    for term, values in logs.items():
        np.testing.assert_allclose(
            values, logs_of_two[term], rtol=1e-4, atol=1e-6, err_msg=term
        )
    np.testing.assert_allclose(found, found_by_two, rtol=1e-5)


@pytest.fixture
def eagerly():
    """Traces nothing: the runs are too short for it. Undoes determinism."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
    framework.disable_op_determinism()


def state(folder):
    """Returns every weight, random state and optimizer slot of a run."""
    reader = tf.train.load_checkpoint(newest_checkpoint(folder / "checkpoints"))
    return {
        key: reader.get_tensor(key)
        for key in reader.get_variable_to_shape_map()
        if key.startswith(("model", "optimizers", "metrics"))
    }


def alone(name):
    """Returns settings that need no finished run: no parts but counts."""
    found = contract.settings(name)
    if contract.base(name) != "blend":
        return found
    counts = [p for p in found.parts if MODELS[p["model"]].model_class.one_pass]
    return dataclasses.replace(found, parts=(*counts,), weights=())


@pytest.mark.each_step
@pytest.mark.usefixtures("eagerly")
def test_a_run_that_was_stopped_ends_as_if_it_had_not_been(
    name, walks, tmp_path
):
    seen, model = [], make(name)
    # Of two steps. A second one where the model tells one from the other.
    epochs = 2 if learns(model) and model.counts_steps else 1

    def run(folder, stop_at=None):
        config = TrainingConfig(
            model=contract.base(name),
            run_dir=str(folder),
            epochs=epochs,
            batch_size=14,
            deterministic=True,
            distribution="none",
            checkpoint_minutes=0.0,
            diagnostic_sequences=0,
            verbose="none",
        )
        steps = itertools.count(1)

        def stop(batch, logs):
            if next(steps) == stop_at:
                raise Stopped

        watcher = keras.callbacks.LambdaCallback(
            on_train_batch_end=stop,
            on_epoch_end=lambda epoch, logs: seen.append((epoch, dict(logs))),
        )
        return train(walks, config, alone(name), [watcher])

    whole = run(tmp_path / "whole")
    in_whole, seen[:] = seen[:], []
    # In the middle of the last epoch.
    with pytest.raises(Stopped):
        run(tmp_path / "torn", stop_at=2 * epochs - 1)
    resumed = run(tmp_path / "torn")
    assert [epoch for epoch, _ in in_whole] == [*range(epochs)]
    assert seen == in_whole
    assert resumed["metrics"] == whole["metrics"]
    assert resumed["steps"] == whole["steps"] == 2 * epochs
    one, two = state(tmp_path / "whole"), state(tmp_path / "torn")
    assert one.keys() == two.keys()
    for key, value in one.items():
        np.testing.assert_array_equal(value, two[key], key)
