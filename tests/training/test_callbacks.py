import csv
import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.toy import Toy
from tfrec.errors import InputError
from tfrec.training import TrainingConfig, callbacks, train
from tfrec.training.callbacks import NanGuard, finished, write_epochs
from tfrec.training.checkpoints import Progress


def test_the_guard_names_steps_and_every_broken_term():
    logs = {"loss": np.inf, "fine": 1.0, "kl": np.float32("nan"), "count": 3}
    guard = NanGuard(TrainingConfig(), Progress(step=41))
    guard.on_train_batch_end(0, {"loss": 1.0})
    with pytest.raises(InputError, match="at step 42: loss is inf, kl is nan"):
        guard.on_train_batch_end(1, logs)
    guard = NanGuard(TrainingConfig(steps_per_execution=5), Progress(step=40))
    with pytest.raises(InputError, match="at steps 41 to 45: loss is inf"):
        guard.on_train_batch_end(1, logs)


def test_a_run_ends_with_its_epochs_or_its_patience():
    config = TrainingConfig(epochs=10, patience=3)
    progress = Progress(step=4 * 7, best_epoch=5)
    assert not finished(progress, config, steps_per_epoch=4)
    progress.step = 4 * 8
    assert finished(progress, config, steps_per_epoch=4)
    patient = dataclasses.replace(config, patience=0)
    assert not finished(progress, patient, steps_per_epoch=4)
    progress.step = 4 * 10
    assert finished(progress, patient, steps_per_epoch=4)


def test_epochs_that_are_not_validated_take_no_patience():
    config = TrainingConfig(epochs=30, patience=3, validate_every=5)
    for step, ends in ((9, False), (10, True)):
        found = finished(Progress(step=step, best_epoch=5), config, 1)
        assert found == ends


def test_no_patience_is_lost_before_the_first_validation():
    config = TrainingConfig(epochs=10, patience=2, validate_every=5)
    assert not finished(Progress(step=4), config, steps_per_epoch=1)


def test_epochs_are_a_table_with_a_cell_for_every_number(tmp_path):
    path = tmp_path / "epochs.csv"
    write_epochs(path, [{"epoch": 1, "loss": 0.1}, {"epoch": 2, "val": 1 / 3}])
    with open(path) as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"epoch": "1", "loss": "0.1", "val": ""},
        {"epoch": "2", "loss": "", "val": repr(1 / 3)},
    ]


@pytest.mark.parametrize(
    ("active", "last", "said"),
    [
        ([0, 0], False, False),
        ([0, 0], True, True),
        ([3, 0, 0, 0, 0], True, False),
        ([3, 0, 0, 0, 0, 0], False, True),
        ([0, 0, 0, 0, 1], True, False),
        ([None], True, False),
    ],
)
def test_a_collapse_is_said_once_it_lasts(active, last, said):
    rows = [{} if n is None else {"active_units": n} for n in active]
    assert callbacks._collapsed(rows, last) == said


def test_a_collapsed_posterior_is_said(data, settings, monkeypatch, capsys):
    config = settings(diagnostic_sequences=8, verbose="line", epochs=1)
    monkeypatch.setattr(
        Toy, "posterior_draws", lambda self, *_: (tf.zeros([9, 3]),) * 2
    )
    train(data, config)
    assert "The posterior has collapsed" in capsys.readouterr().out
