"""The moving average of the weights, beside one that is written out."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.toy import Toy, ToyConfig
from tfrec.batches import EvaluationBatch, TrainingBatch
from tfrec.errors import InputError
from tfrec.models import GRU4RecConfig
from tfrec.training.strategy import make_strategy

MOMENTUM = 0.6
ITEMS = tf.constant([[1, 2, 3], [4, 4, 0]])
TESTED = EvaluationBatch.of(
    ITEMS, tf.constant([[5], [1]]), tf.zeros([2, 1], tf.int32)
)


class Watching(keras.callbacks.Callback):
    """Keeps the weights of every step."""

    def __init__(self):
        super().__init__()
        self.steps = []

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(weights(self.model))


def weights(model):
    return [variable.numpy() for variable in model.trainable_variables]


def toy(momentum=MOMENTUM):
    keras.utils.set_random_seed(0)
    model = Toy(5, ToyConfig(ema_momentum=momentum))
    model.compile()
    return model


def fit(model, epochs=2, first=0, validate=True):
    batches = tf.data.Dataset.from_tensors(TrainingBatch.of(ITEMS)).repeat(3)
    watching = Watching()
    history = model.fit(
        batches,
        initial_epoch=first,
        epochs=epochs,
        validation_data=(
            tf.data.Dataset.from_tensors(TESTED) if validate else None
        ),
        verbose=0,
        callbacks=[watching],
    )
    return watching, history.history


def averages(start, steps):
    """The averages after each step, written out."""
    found = [start]
    for n, now in enumerate(steps, 1):
        m = min(MOMENTUM, (1 + n) / (10 + n))
        pairs = zip(found[-1], now, strict=True)
        found.append([m * old + (1 - m) * new for old, new in pairs])
    return found[1:]


def assert_close(one, two):
    for first, second in zip(one, two, strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-5)


def test_the_model_ends_with_the_averages_of_all_steps():
    model = toy()
    start = weights(model)
    watching, _ = fit(model)
    assert_close(weights(model), averages(start, watching.steps)[-1])
    assert np.any(weights(model)[0] != watching.steps[-1][0])


def test_each_epoch_is_validated_with_its_averages():
    model = toy()
    start = weights(model)
    watching, history = fit(model)
    expected = averages(start, watching.steps)
    assert len(watching.steps) == 6
    again = toy()
    for epoch, values in enumerate((expected[2], expected[5])):
        for variable, value in zip(
            again.trainable_variables, values, strict=True
        ):
            variable.assign(value)
        found = again.evaluate(
            tf.data.Dataset.from_tensors(TESTED), return_dict=True, verbose=0
        )
        for name, value in found.items():
            assert value == pytest.approx(history[f"val_{name}"][epoch])


def test_training_is_that_without_averages():
    with_averages, _ = fit(toy())
    without, _ = fit(toy(momentum=0.0))
    for one, two in zip(with_averages.steps, without.steps, strict=True):
        for first, second in zip(one, two, strict=True):
            np.testing.assert_array_equal(first, second)


def test_fitting_twice_is_fitting_once():
    once, twice = toy(), toy()
    fit(once, epochs=2)
    fit(twice, epochs=1)
    fit(twice, epochs=2, first=1)
    for first, second in zip(weights(once), weights(twice), strict=True):
        np.testing.assert_array_equal(first, second)


def test_weights_set_before_training_are_its_start():
    model = toy()
    model.scale.assign(3.0)
    start = weights(model)
    watching, _ = fit(model, epochs=1)
    assert_close(weights(model), averages(start, watching.steps)[-1])


def test_two_devices_average_as_one(monkeypatch):
    monkeypatch.setattr(
        keras.random, "normal", lambda shape, seed=None: tf.zeros(shape)
    )
    one = toy()
    fit(one, validate=False)
    with make_strategy("mirrored").scope():
        two = toy()
    assert two.distribute_strategy.num_replicas_in_sync == 2
    fit(two, validate=False)
    assert_close(weights(one), weights(two))


def test_steps_that_move_few_items_have_no_average():
    with pytest.raises(InputError, match="ema_momentum` means nothing where"):
        GRU4RecConfig(loss="bpr_max", ema_momentum=0.9)
