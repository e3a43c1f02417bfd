"""Runs of count-based models: nothing is counted twice, or lost."""

import dataclasses

import numpy as np
import pytest

from tests.prepared import prepare_sequences
from tfrec.data import PreparedDataset
from tfrec.models import Rules
from tfrec.training import fitting, load_run, train
from tfrec.training.callbacks import Recorder


@pytest.fixture(scope="module")
def clicks(tmp_path_factory) -> PreparedDataset:
    """Sessions of 12 items; 4 steps of 6 in an epoch with fit_on=train."""
    rng = np.random.default_rng(0)
    sessions = [rng.integers(1, 13, n).tolist() for n in rng.integers(2, 9, 30)]
    return prepare_sequences(
        tmp_path_factory.mktemp("clicks"),
        train=sessions[:20],
        validation=[(session, []) for session in sessions[20:25]],
        test=[([*session, 13], []) for session in sessions[25:]],
        num_items=12,
        protocol="next_click",
    )


def held(config):
    """What the checkpoint of a run holds, loaded."""
    model = load_run(config.run_dir).model
    return [
        *(np.array(variable) for variable in model.variables),
        *(table.numpy() for table in model.tables.values()),
    ]


def test_the_time_of_a_run_has_that_of_counting(clicks, settings, monkeypatch):
    class Clock:
        now = 0.0

        @classmethod
        def monotonic(cls):
            return cls.now

    original = Rules.adapt

    def adapt(self, batches):
        Clock.now += 1000.0
        original(self, batches)

    monkeypatch.setattr(fitting, "time", Clock)
    monkeypatch.setattr(Rules, "adapt", adapt)
    assert train(clicks, settings(model="rules"))["wall_seconds"] > 1000.0


def test_a_run_that_was_killed_goes_on_without_counting_again(
    clicks, settings, tmp_path, monkeypatch
):
    config = settings(model="rules", epochs=1, checkpoint_minutes=0.0)
    whole = dataclasses.replace(config, run_dir=str(tmp_path / "whole"))
    expected = train(clicks, whole)

    def killed(self, batch, logs=None):
        original(self, batch, logs)
        if batch == 1:
            raise SystemExit

    original = Recorder.on_train_batch_end
    monkeypatch.setattr(Recorder, "on_train_batch_end", killed)
    with pytest.raises(SystemExit):
        train(clicks, config)
    monkeypatch.setattr(Recorder, "on_train_batch_end", original)
    monkeypatch.setattr(Rules, "adapt", None)
    found = train(clicks, config)
    assert found["metrics"] == expected["metrics"]
    assert found["parameters"] == expected["parameters"]
    for one, two in zip(held(config), held(whole), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("model", ["pop", "markov"])
def test_one_epoch_counts_everything_whatever_is_asked_for(
    clicks, settings, tmp_path, model
):
    config = settings(model=model, epochs=1)
    longer = dataclasses.replace(
        config, epochs=100, run_dir=str(tmp_path / "longer")
    )
    one, other = train(clicks, config), train(clicks, longer)
    assert (other["epochs"], other["steps"]) == (1, 4)
    assert other["metrics"] == one["metrics"]
    # So it is finished, and nothing is counted again.
    assert train(clicks, longer) == other


def test_a_run_on_two_devices_has_the_numbers_of_one(
    clicks, settings, tmp_path
):
    config = settings(model="rules", epochs=1, fit_on="all")
    mirrored = dataclasses.replace(
        config, distribution="mirrored", run_dir=str(tmp_path / "mirrored")
    )
    one, two = train(clicks, config), train(clicks, mirrored)
    assert two["metrics"] == pytest.approx(one["metrics"])
    for a, b in zip(held(config), held(mirrored), strict=True):
        np.testing.assert_array_equal(a, b)


def test_more_sessions_give_another_table(clicks, settings, tmp_path):
    config = settings(model="rules", epochs=1)
    larger = dataclasses.replace(
        config, fit_on="all", run_dir=str(tmp_path / "all")
    )
    # The validation sessions hold pairs of their own.
    sizes = [train(clicks, c)["parameters"] for c in (config, larger)]
    assert sizes[0] < sizes[1]
