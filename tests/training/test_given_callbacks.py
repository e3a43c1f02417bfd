"""Callbacks of the user's beside those of a run."""

import csv
from pathlib import Path

import keras

from tfrec.training import train


class Until(keras.callbacks.Callback):
    """Ends a run after an epoch."""

    def __init__(self, last):
        super().__init__()
        self.last = last

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch == self.last


def epochs(config):
    with open(Path(config.run_dir, "epochs.csv")) as file:
        return [int(row["epoch"]) for row in csv.DictReader(file)]


def test_a_callback_may_end_a_run_and_the_same_call_trains_on(data, settings):
    config = settings(epochs=4)
    assert train(data, config, callbacks=[Until(1)])["epochs"] == 2
    assert epochs(config) == [1, 2]
    assert train(data, config)["epochs"] == 4
    assert epochs(config) == [1, 2, 3, 4]


def test_a_run_ended_without_validation_is_saved_and_tested(data, settings):
    config = settings(epochs=4, fit_on="all")
    numbers = train(data, config, callbacks=[Until(1)])
    assert (numbers["epochs"], numbers["steps"]) == (2, 8)
    assert numbers["metrics"]


def test_a_model_checkpoint_sees_every_epoch(data, settings, tmp_path):
    saver = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.weights.h5")
    train(data, settings(), callbacks=[saver])
    found = sorted(path.name for path in tmp_path.glob("*.h5"))
    assert found == [f"{n}.weights.h5" for n in (1, 2, 3)]
