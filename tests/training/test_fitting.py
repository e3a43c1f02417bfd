"""Runs: the same numbers however often they are interrupted."""

import csv
import dataclasses
import json
import os
import signal
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.toy import Toy, ToyConfig, entry, toy_data
from tfrec.errors import InputError, InputWarning
from tfrec.layers.item_embedding import ItemEmbedding
from tfrec.models import MODELS
from tfrec.optimizers import LazyAdamW
from tfrec.training import Run, load_run, report, train
from tfrec.training.callbacks import Recorder
from tfrec.training.checkpoints import newest_checkpoint, read_progress
from tfrec.training.comparison import read_runs
from tfrec.training.description import describe

# What may differ between runs that are the same: times, and what was looked
# at on the way.
OTHER = (
    "tokens_per_second",
    "steps_per_second",
    "wall_seconds",
    "corr",
    "active_units",
    "collapsed",
)


class Killed(BaseException):
    """What no handler catches, as `kill -9`."""


@pytest.fixture
def kill_after(monkeypatch):
    """Makes training die after a number of steps; None lets it live."""
    original = Recorder.on_train_batch_end
    left = [None]

    def dying(self, batch, logs=None):
        original(self, batch, logs)
        if left[0] is not None:
            left[0] -= 1
            if not left[0]:
                raise Killed

    monkeypatch.setattr(Recorder, "on_train_batch_end", dying)
    return lambda steps: left.__setitem__(0, steps)


def epochs(config):
    with open(f"{config.run_dir}/epochs.csv") as file:
        return [
            {k: v for k, v in row.items() if k not in OTHER}
            for row in csv.DictReader(file)
        ]


def state(config):
    """Every weight, random state and optimizer slot of a run."""
    path = newest_checkpoint(Path(config.run_dir, "checkpoints"))
    reader = tf.train.load_checkpoint(path)
    return {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
        if name.startswith(("model", "optimizers", "weights"))
    }


def assert_same_run(one, two):
    first, second = state(one), state(two)
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], name)
    assert epochs(one) == epochs(two)
    numbers = [
        json.loads(Path(c.run_dir, "metrics.json").read_text())
        for c in (one, two)
    ]
    for name in OTHER:
        for each in numbers:
            each.pop(name, None)
    assert numbers[0] == numbers[1]


def vectors(config):
    """The item vectors of the newest checkpoint."""
    (found,) = (
        value
        for name, value in state(config).items()
        if name.startswith("model") and "embeddings" in name
    )
    return found


def text(config, name):
    return Path(config.run_dir, name).read_text()


def progress(config):
    return read_progress(newest_checkpoint(Path(config.run_dir, "checkpoints")))


def test_a_run_leaves_its_numbers(data, finished_run):
    folder = Path(finished_run.run_dir)
    numbers = json.loads((folder / "metrics.json").read_text())
    assert numbers["protocol"] == "holdout 0.2, history excluded, 23 users"
    assert (numbers["split"], numbers["examples"]) == ("test", 23)
    assert list(numbers["metrics"])[:3] == ["recall@5", "ndcg@5", "mrr@5"]
    assert (numbers["epochs"], numbers["steps"]) == (3, 12)
    assert numbers["seed"] == 0
    assert numbers["data_checksum"] == data.manifest.data_checksum
    assert numbers["versions"]["tensorflow"] == tf.__version__
    assert numbers["wall_seconds"] > 0
    assert numbers["tokens_per_second"] > 0
    assert [row["epoch"] for row in epochs(finished_run)] == ["1", "2", "3"]
    assert {path.name for path in folder.iterdir()} == {
        ".lock",
        "checkpoints",
        "config.json",
        "epochs.csv",
        "metrics.json",
        "ranks.npz",
        "tensorboard",
    }


def test_a_run_interrupted_anywhere_ends_as_if_it_had_not_been(
    data, settings, finished_run, kill_after
):
    config = settings(checkpoint_minutes=0.0)
    # In the middle of an epoch, and at the end of one, before its validation.
    for steps in (2, 2, 5):
        kill_after(steps)
        with pytest.raises(Killed):
            train(data, config)
    kill_after(None)
    train(data, config)
    assert_same_run(finished_run, config)


def test_averages_of_weights_are_resumed_as_exactly(
    data, settings, tmp_path, kill_after
):
    averaging = ToyConfig(ema_momentum=0.9)
    whole = settings(run_dir=tmp_path / "whole")
    train(data, whole, averaging)
    config = settings(checkpoint_minutes=0.0)
    for steps in (2, 2, 5):
        kill_after(steps)
        with pytest.raises(Killed):
            train(data, config, averaging)
    kill_after(None)
    train(data, config, averaging)
    assert_same_run(whole, config)
    # What others read is what was validated, and not the weights.
    run = load_run(config.run_dir)
    best = int(json.loads(text(config, "metrics.json"))["best_epoch"])
    found = run.evaluate("validation")["metrics"]
    for name, value in found.items():
        assert epochs(config)[best - 1][f"val_{name}"] == str(value)
    scales = [
        value
        for name, value in state(config).items()
        if name.startswith("weights") and value.dtype == np.float32
        if not value.shape
    ]
    assert scales and all(run.model.scale.numpy() != x for x in scales)


def test_a_run_on_two_devices_is_resumed_as_exactly(
    data, settings, tmp_path, kill_after, monkeypatch
):
    replicas = []

    class Watched(Toy):
        def compile(self, **kwargs):
            super().compile(**kwargs)
            replicas.append(self.distribute_strategy.num_replicas_in_sync)

    monkeypatch.setitem(MODELS, "toy", entry(Watched))
    two = {"distribution": "mirrored", "epochs": 2, "checkpoint_minutes": 0.0}
    whole = settings(run_dir=tmp_path / "whole", **two)
    train(data, whole)
    torn = settings(**two)
    kill_after(6)
    with pytest.raises(Killed):
        train(data, torn)
    kill_after(None)
    train(data, torn)
    assert_same_run(whole, torn)
    assert replicas == [2, 2, 2]


def test_all_rows_are_up_to_date_at_the_end_of_an_epoch(
    data, settings, tmp_path, kill_after, monkeypatch
):
    behind = []

    class Lazy(Toy):
        def make_embedding(self):
            return ItemEmbedding(self.num_items, 3)

        def compile(self, **kwargs):
            super().compile(optimizer=LazyAdamW(0.05), **kwargs)

        def catch_up(self):
            behind.append(np.ptp(self.optimizer.last_steps[0]))
            super().catch_up()

        def evaluate(self, *args, **kwargs):
            # Validation, of what is then selected and saved.
            behind.append(np.ptp(self.optimizer.last_steps[0]))
            return super().evaluate(*args, **kwargs)

    monkeypatch.setitem(MODELS, "toy", entry(Lazy))
    whole = settings(run_dir=tmp_path / "whole", epochs=2)
    train(data, whole)
    before, after, *_ = behind
    assert before > 0 and after == 0
    torn = settings(epochs=2, checkpoint_minutes=0.0)
    for steps in (2, 2):
        kill_after(steps)
        with pytest.raises(Killed):
            train(data, torn)
    kill_after(None)
    train(data, torn)
    assert_same_run(whole, torn)


def test_only_the_steps_after_the_last_checkpoint_are_lost(
    data, settings, kill_after
):
    config = settings(checkpoint_minutes=60.0)
    kill_after(6)
    with pytest.raises(Killed):
        train(data, config)
    # The first epoch is the best so far, so it was saved.
    assert progress(config).step == 4


def test_a_finished_run_is_not_trained_again(
    data, copied_run, monkeypatch, capsys
):
    monkeypatch.setattr(Toy, "fit", None)
    numbers = train(data, dataclasses.replace(copied_run, verbose="line"))
    path = Path(copied_run.run_dir, "metrics.json")
    assert numbers == json.loads(path.read_text())
    assert "is finished, after 3 epochs, 12 steps" in capsys.readouterr().out


def test_a_run_killed_before_its_test_is_tested(data, copied_run, monkeypatch):
    path = Path(copied_run.run_dir, "metrics.json")
    numbers = json.loads(path.read_text())
    path.unlink()
    monkeypatch.setattr(Toy, "fit", None)
    assert train(data, copied_run) == numbers


def test_a_run_that_went_on_is_tested_anew(
    data, settings, finished_run, monkeypatch
):
    train(data, settings(epochs=2))

    def stopped(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Run, "rank", stopped)
        with pytest.raises(Killed):
            train(data, settings(epochs=3))
    # The numbers that are there are those of two epochs.
    assert train(data, settings(epochs=3))["epochs"] == 3
    assert_same_run(finished_run, settings())


def test_ranks_that_are_lost_are_ranked_again(data, copied_run):
    path = Path(copied_run.run_dir, "ranks.npz")
    before = path.read_bytes()
    path.unlink()
    train(data, copied_run)
    assert path.read_bytes() == before
    assert read_runs([copied_run.run_dir])


def test_more_epochs_continue_a_finished_run(data, settings, finished_run):
    train(data, settings(epochs=2))
    train(data, settings(epochs=3))
    assert_same_run(finished_run, settings())


def test_the_test_may_be_left_unread_and_read_later(
    data, settings, finished_run, monkeypatch
):
    config = settings(test=False)
    with monkeypatch.context() as patch:
        patch.setattr(Run, "rank", None)
        untested = train(data, config)
    assert "metrics" not in untested
    assert "--notest" in report(untested)
    with pytest.raises(InputError, match="without --notest"):
        read_runs([config.run_dir])
    assert not Path(config.run_dir, "ranks.npz").exists()
    # Nothing is trained again for it.
    monkeypatch.setattr(Toy, "fit", None)
    train(data, settings())
    assert_same_run(finished_run, settings())


def test_ranks_of_fewer_epochs_are_not_kept(data, copied_run):
    longer = dataclasses.replace(copied_run, epochs=4, test=False)
    train(data, longer)
    assert not Path(copied_run.run_dir, "ranks.npz").exists()
    with pytest.raises(InputError, match="without --notest"):
        read_runs([copied_run.run_dir])


def test_a_run_with_other_settings_is_refused_by_name(data, copied_run):
    with pytest.raises(
        InputError, match=r"--seed was 0 and is 1; --max_length was 10 and is 4"
    ):
        train(
            data,
            dataclasses.replace(copied_run, seed=1),
            ToyConfig(max_length=4),
        )


def test_a_run_that_never_trained_may_get_other_settings(data, settings):
    config = settings(epochs=1, seed=5)
    folder = Path(config.run_dir)
    # What a run makes before its first step.
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "tensorboard").mkdir()
    before = dataclasses.replace(config, seed=4)
    describe(folder, data, before, ToyConfig(), measured_by={"run": "other"})
    train(data, config, ToyConfig())
    assert load_run(folder).config.seed == 5
    assert "measured_by" not in json.loads((folder / "config.json").read_text())


def test_a_run_on_other_data_is_refused(copied_run, tmp_path):
    other = toy_data(tmp_path / "other", seed=1)
    with pytest.raises(InputError, match=r"not the dataset that .* trained on"):
        train(other, copied_run)


def test_the_best_epoch_is_tested(data, settings, monkeypatch):
    """The metric is made to be best in epoch 2."""
    weights = []

    class Peaked(Toy):
        def evaluate(self, *args, **kwargs):
            found = super().evaluate(*args, **kwargs)
            if not kwargs.get("callbacks") or len(weights) == 3:
                return found
            weights.append(self.embedding.embeddings.numpy())
            found["ndcg@10"] = [0.1, 0.3, 0.2][len(weights) - 1]
            return found

    monkeypatch.setitem(MODELS, "toy", entry(Peaked))
    config = settings()
    numbers = train(data, config)
    assert numbers["best_epoch"] == 2
    assert numbers["validation"] == {"ndcg@10": 0.3}
    run = load_run(config.run_dir)
    np.testing.assert_array_equal(run.model.embedding.embeddings, weights[1])
    assert run.evaluate()["metrics"] == numbers["metrics"]


def test_patience_stops_a_run_that_gets_no_better(data, settings):
    # Nothing is learned, so the first epoch stays the best.
    still = ToyConfig(learning_rate=1e-30)
    numbers = train(data, settings(epochs=50, patience=2), still)
    assert numbers["best_epoch"] == 1
    assert numbers["epochs"] == 3


def test_fit_on_all_keeps_the_last_epoch_and_never_validates(data, settings):
    config = settings(fit_on="all", epochs=2)
    numbers = train(data, config)
    assert numbers["best_epoch"] is None
    assert not Path(
        config.run_dir, "checkpoints", "best", "checkpoint"
    ).exists()
    assert not any(name.startswith("val_") for name in epochs(config)[0])
    assert progress(config).step == numbers["steps"]
    np.testing.assert_array_equal(
        load_run(config.run_dir).model.embedding.embeddings, vectors(config)
    )


@pytest.mark.parametrize("long", ["newest", "windows"])
def test_long_sequences_are_trained_on_as_the_settings_say(
    data, settings, tmp_path, long
):
    tokens = []

    class Counter(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            tokens[:] = [float(self.model.tokens.result())]

    config = settings(
        epochs=1, run_dir=str(tmp_path / long), long_sequences=long
    )
    train(data, config, ToyConfig(max_length=2), [Counter()])
    whole = data.training(max_length=1000, epochs=1).as_numpy_iterator()
    lengths = [np.count_nonzero(b.items, 1) for b in whole]
    targets = np.concatenate(lengths) - 1
    assert targets.max() > 2
    kept = targets if long == "windows" else np.minimum(targets, 2)
    assert tokens == [kept.sum()]


def test_validation_may_be_rarer_but_includes_the_last_epoch(data, settings):
    config = settings(epochs=5, validate_every=2)
    train(data, config)
    validated = [bool(row["val_ndcg@10"]) for row in epochs(config)]
    assert validated == [False, True, False, True, True]


def test_several_steps_in_one_execution_are_the_same_steps(
    data, settings, finished_run
):
    config = settings(steps_per_execution=2)
    train(data, config)
    assert_same_run(finished_run, config)


def test_steps_per_execution_must_divide_an_epoch(data, settings):
    with pytest.raises(InputError, match="the 4 steps of an epoch: 1, 2, 4"):
        train(data, settings(steps_per_execution=3))


def test_a_schedule_is_resumed_where_it_was(
    data, settings, tmp_path, kill_after
):
    course = {
        "learning_rate_schedule": "cosine",
        "warmup_epochs": 0.5,
        "epochs": 2,
    }
    whole = settings(run_dir=tmp_path / "whole", **course)
    train(data, whole)
    torn = settings(checkpoint_minutes=0.0, **course)
    kill_after(5)
    with pytest.raises(Killed):
        train(data, torn)
    kill_after(None)
    train(data, torn)
    assert_same_run(whole, torn)
    with pytest.raises(InputError, match="--epochs was 2 and is 4"):
        train(data, dataclasses.replace(torn, epochs=4))


def test_a_model_without_a_learning_rate_has_no_schedule(data, settings):
    with pytest.raises(InputError, match="with Pop, which has no learning"):
        train(data, settings(model="pop", learning_rate_schedule="cosine"))


def test_a_model_that_counts_says_that_it_reads_once(data, settings, recwarn):
    with pytest.warns(InputWarning, match=r"=pop .* once.* Received: 3\.$"):
        numbers = train(data, settings(model="pop", epochs=3))
    assert numbers["epochs"] == 1
    recwarn.clear()
    train(data, settings(model="pop", epochs=1))
    assert not recwarn.list


def test_a_signal_stops_a_run_after_its_step(
    data, settings, monkeypatch, capsys
):
    config = settings(checkpoint_minutes=60.0, verbose="line")
    original = Recorder.on_train_batch_end

    def terminate(self, batch, logs=None):
        if batch == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        original(self, batch, logs)

    monkeypatch.setattr(Recorder, "on_train_batch_end", terminate)
    with pytest.raises(KeyboardInterrupt):
        train(data, config)
    assert progress(config).step == 3
    assert "Stopped after 0 epochs, 3 steps." in capsys.readouterr().out
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_another_seed_is_another_run(data, settings, finished_run):
    config = settings(seed=1)
    train(data, config)
    assert not np.array_equal(vectors(config), vectors(finished_run))
