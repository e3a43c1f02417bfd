"""The moving average of the weights, beside one that is written out."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.toy import Toy, ToyConfig
from tfrec.batches import EvaluationBatch, TrainingBatch
from tfrec.errors import InputError
from tfrec.models import GRU4RecConfig, RecVAE, RecVAEConfig
from tfrec.training.strategy import make_strategy

MOMENTUM = 0.6
ITEMS = tf.constant([[1, 2, 3], [4, 4, 0]])
TESTED = tf.data.Dataset.from_tensors(
    EvaluationBatch.of(
        ITEMS, tf.constant([[5], [1]]), tf.zeros([2, 1], tf.int32)
    )
)


class Watching(keras.callbacks.Callback):
    """Keeps the weights of every step."""

    def __init__(self):
        super().__init__()
        self.steps = []

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(held(self.model))


def held(model):
    """What the variables hold."""
    return [variable.numpy() for variable in model.trainable_variables]


def toy(momentum=MOMENTUM):
    keras.utils.set_random_seed(0)
    model = Toy(5, ToyConfig(ema_momentum=momentum))
    # A number that each weight moves.
    model.compile(metrics=[keras.metrics.MeanSquaredError("scores")])
    return model


def fit(model, epochs=2, first=0, callbacks=(), **kwargs):
    """Fits with 3 steps in an epoch."""
    batches = tf.data.Dataset.from_tensors(TrainingBatch.of(ITEMS)).repeat(3)
    watching = Watching()
    history = model.fit(
        batches,
        initial_epoch=first,
        epochs=epochs,
        verbose=0,
        callbacks=[watching, *callbacks],
        **kwargs,
    )
    return watching.steps, history.history


def averages(start, steps):
    """The averages after each step, written out."""
    found = [start]
    for n, now in enumerate(steps, 1):
        m = min(MOMENTUM, (1 + n) / (10 + n))
        pairs = zip(found[-1], now, strict=True)
        found.append([m * old + (1 - m) * new for old, new in pairs])
    return found[1:]


def measured(values):
    """What a model with these weights has on the validation split."""
    model = toy(momentum=0.0)
    for variable, value in zip(model.trainable_variables, values, strict=True):
        variable.assign(value)
    return model.evaluate(TESTED, return_dict=True, verbose=0)["scores"]


def assert_close(one, two):
    for first, second in zip(one, two, strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-5)


def assert_same(one, two):
    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first, second)


def test_the_model_ends_with_the_averages_of_all_steps():
    model = toy()
    start = held(model)
    steps, _ = fit(model)
    assert len(steps) == 6
    assert_close(held(model), averages(start, steps)[-1])
    assert np.any(held(model)[0] != steps[-1][0])


def test_each_epoch_is_validated_with_its_averages():
    model = toy()
    start = held(model)
    steps, history = fit(model, validation_data=TESTED)
    expected = averages(start, steps)
    for epoch, last in enumerate((2, 5)):
        found = history["val_scores"][epoch]
        assert found == pytest.approx(measured(expected[last]), rel=1e-5)
        assert found != pytest.approx(measured(steps[last]), rel=1e-3)


def test_training_is_that_without_averages():
    for one, two in zip(
        fit(toy(), validation_data=TESTED)[0],
        fit(toy(momentum=0.0))[0],
        strict=True,
    ):
        assert_same(one, two)


def test_fitting_twice_is_fitting_once():
    once, twice = toy(), toy()
    fit(once, epochs=2)
    fit(twice, epochs=1)
    fit(twice, epochs=2, first=1)
    assert_same(held(once), held(twice))


def test_weights_set_before_training_are_its_start():
    model = toy()
    model.scale.assign(3.0)
    start = held(model)
    steps, _ = fit(model, epochs=1)
    assert_close(held(model), averages(start, steps)[-1])


@pytest.mark.parametrize("way", ["set", "load"])
def test_weights_set_between_two_fits_are_the_start_of_the_second(
    way, tmp_path
):
    other, model = toy(), toy()
    other.scale.assign(3.0)
    fit(model, epochs=1)
    if way == "set":
        model.set_weights(other.get_weights())
    else:
        other.save_weights(tmp_path / "other.weights.h5")
        model.load_weights(tmp_path / "other.weights.h5")
    start = held(other)
    assert_same(held(model), start)
    steps, _ = fit(model, epochs=1)
    assert_close(held(model), averages(start, steps)[-1])


def test_a_file_written_in_training_has_the_averages(tmp_path):
    model, path = toy(), tmp_path / "{epoch}.weights.h5"
    start = held(model)
    steps, _ = fit(
        model,
        callbacks=[
            keras.callbacks.ModelCheckpoint(path, save_weights_only=True)
        ],
    )
    expected = averages(start, steps)
    loaded = toy()
    for epoch, last in ((1, 2), (2, 5)):
        loaded.load_weights(tmp_path / f"{epoch}.weights.h5")
        assert_close(held(loaded), expected[last])


def test_early_stopping_restores_the_averages_of_the_best_epoch():
    model = toy()
    start = held(model)
    # The scores grow from epoch to epoch.
    stop = keras.callbacks.EarlyStopping(
        "val_scores", mode="min", patience=1, restore_best_weights=True
    )
    steps, _ = fit(model, epochs=3, callbacks=[stop], validation_data=TESTED)
    assert len(steps) == 6
    assert_close(held(model), averages(start, steps)[2])


def test_a_training_that_ends_early_leaves_the_averages():
    class Stops(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                raise KeyboardInterrupt

    model = toy()
    start = held(model)
    watching = Watching()
    with pytest.raises(KeyboardInterrupt):
        fit(model, callbacks=[watching, Stops()])
    assert_close(held(model), averages(start, watching.steps)[-1])


def test_two_devices_average_as_one(monkeypatch):
    monkeypatch.setattr(
        keras.random, "normal", lambda shape, seed=None: tf.zeros(shape)
    )
    one = toy()
    _, expected = fit(one, validation_data=TESTED)
    with make_strategy("mirrored").scope():
        two = toy()
    assert two.distribute_strategy.num_replicas_in_sync == 2
    _, found = fit(two, validation_data=TESTED)
    assert_close(held(one), held(two))
    assert found["val_scores"] == pytest.approx(expected["val_scores"])


def test_a_model_that_steps_in_its_own_way_is_averaged():
    config = RecVAEConfig(latent_dim=2, hidden_units=3, ema_momentum=MOMENTUM)
    model = RecVAE(5, config)
    model.compile()
    start = held(model)
    steps, _ = fit(model)
    assert_close(held(model), averages(start, steps)[-1])


def test_steps_that_move_few_items_have_no_average():
    with pytest.raises(InputError, match="ema_momentum` means nothing with a"):
        GRU4RecConfig(loss="bpr_max", ema_momentum=0.9)
