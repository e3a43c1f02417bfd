"""Tests of the search for settings."""

import dataclasses
import json
import shutil
from typing import ClassVar

import numpy as np
import pytest
import tensorflow as tf

from tests.flagfiles import read_flagfile
from tests.toy import entry
from tfrec import tune as command
from tfrec.batches import TrainingBatch
from tfrec.data import PreparedDataset
from tfrec.errors import (
    CannotWriteError,
    InputError,
    OutOfMemoryError,
    OutsideError,
)
from tfrec.models import MODELS, get_entry
from tfrec.models.base.recommender import Recommender
from tfrec.models.configs.space import Between, OneOf
from tfrec.settings import Settings, setting
from tfrec.training import TrainingConfig
from tfrec.training import tuning as module
from tfrec.training.files import locked
from tfrec.training.tuning import tune

SPACE = {
    "shift": Between(0.0, 1.0),
    "rows": Between(1, 8),
    "kind": OneOf(("a", "b")),
}


@dataclasses.dataclass(frozen=True)
class GuessConfig(Settings):
    """Settings whose worth is known."""

    max_length: int = setting(5, "Not used.", minimum=1)
    shift: float = setting(0.5, "The nearer to 0.3 the better.", maximum=0.95)
    rows: int = setting(1, "Without effect.")
    kind: str = setting("a", "Without effect.", choices=("a", "b"))


class Guess(Recommender):
    """Ranks the items around a place in the vocabulary."""

    config_class = GuessConfig
    seen: ClassVar[list] = []

    def __init__(self, num_items, config=None, num_users=0):
        super().__init__(num_items, config, num_users)
        self.place = self.add_weight(shape=(), initializer="zeros", name="at")
        self.built = True

    def train_step(self, batch: TrainingBatch):
        self.count_tokens(batch)
        self.place.assign(abs(self.config.shift - 0.3))
        return {"loss": tf.convert_to_tensor(self.place)}

    def score(self, query):
        Guess.seen.append(self.config)
        # The further away, the more users get the worst list.
        rows = tf.shape(query.history)[0]
        users = tf.cast(tf.range(rows), tf.float32) / tf.cast(rows, tf.float32)
        good = tf.range(self.num_items, 0, -1, tf.float32)
        sign = tf.where(users >= self.place, 1.0, -1.0)
        return sign[:, None] * good


@pytest.fixture(autouse=True)
def guess(monkeypatch):
    monkeypatch.setitem(MODELS, "guess", entry(Guess))


@pytest.fixture
def config(settings):
    return dataclasses.replace(settings(epochs=2), model="guess", run_dir="")


def search(data, config, folder, trials=4, prune_after=0, given=None):
    return tune(
        data,
        config,
        given or GuessConfig(),
        SPACE,
        folder,
        trials,
        prune_after,
        given_first=given is not None,
    )


def trials(folder):
    """Returns the settings and the result of each trial, by its index."""
    study = module.optuna.load_study(
        study_name="tfrec", storage=f"sqlite:///{folder}/study.db"
    )
    return {
        trial.user_attrs["index"]: (trial.params, trial.value)
        for trial in study.trials
        if trial.value is not None
    }


def test_the_best_setting_lands_in_a_file_of_flags(data, config, tmp_path):
    text = search(data, config, tmp_path / "s")
    found = trials(tmp_path / "s")
    assert set(found) == {0, 1, 2, 3}
    best = max(found, key=lambda index: found[index][1])
    assert f"Best: trial {best}, validation {found[best][1]:.4f}" in text
    params = found[best][0]
    flags = (tmp_path / "s" / "best.flags").read_text()
    assert f"--shift={params['shift']}" in flags
    for line in (
        "# Trials: 4; 0 of them stopped early, 0 failed.",
        "#   shift: 0.0 to 1.0",
        "#   kind: a or b",
        f"# Best: ndcg@10 {found[best][1]:.4f} in epoch 1 of trial {best}.",
    ):
        assert line in flags
    for params, _ in found.values():
        assert 0 <= params["shift"] <= 1
        assert params["rows"] in range(1, 9)
    assert len({params["shift"] for params, _ in found.values()}) == 4
    # The test split was not looked at; whoever takes the flags reads it.
    assert "--notest" not in flags
    assert not list((tmp_path / "s").rglob("ranks.npz"))


def test_the_given_settings_are_tried_first(data, config, tmp_path, capsys):
    search(data, config, tmp_path / "drawn", 3)
    config = dataclasses.replace(config, verbose="line")
    # No draw is as good, nor in the space.
    given = GuessConfig(shift=0.3, rows=20)
    text = search(data, config, tmp_path / "s", 3, given=given)
    found = trials(tmp_path / "s")
    assert found[0][0] == {}
    assert found[0][1] > max(found[1][1], found[2][1])
    # The others are those that they always are.
    drawn = trials(tmp_path / "drawn")
    assert [found[1], found[2]] == [drawn[1], drawn[2]]
    assert "Trial 0: the settings as given" in capsys.readouterr().out
    assert text.startswith("Best: trial 0, ")
    flags = (tmp_path / "s" / "best.flags").read_text()
    assert "in epoch 1 of trial 0, the settings as given.\n" in flags
    assert "--shift=0.3\n--rows=20\n" in flags
    with pytest.raises(InputError, match="trial 0 was given and is drawn"):
        tune(data, config, given, SPACE, tmp_path / "s", 3, 0)


class Killed(BaseException):
    """What no handler catches."""


def test_a_search_that_was_stopped_ends_as_if_it_had_not_been(
    data, config, tmp_path, monkeypatch
):
    search(data, config, tmp_path / "whole", 3)

    def kill(self, epoch, logs=None):
        if self._trial.number == 1:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(module.Judge, "on_epoch_end", kill)
        with pytest.raises(Killed):
            search(data, config, tmp_path / "torn", 3)
    search(data, config, tmp_path / "torn", 2)
    assert set(trials(tmp_path / "torn")) == {0, 1}
    # And goes on, without what was done.
    Guess.seen.clear()
    search(data, config, tmp_path / "torn", 3)
    assert len({c.shift for c in Guess.seen}) == 1
    assert trials(tmp_path / "torn") == trials(tmp_path / "whole")


def test_what_no_trial_can_be_blamed_for_is_told_before(
    data, config, tmp_path, monkeypatch
):
    lacking = dataclasses.replace(config, init_from=str(tmp_path / "no run"))
    with pytest.raises(InputError, match="`--init_from` must be the folder"):
        search(data, lacking, tmp_path / "s")
    several = {
        "cluster": {"worker": ["a:1", "b:1"]},
        "task": {"type": "worker", "index": 0},
    }
    monkeypatch.setenv("TF_CONFIG", json.dumps(several))
    with pytest.raises(InputError, match="on one machine, and TF_CONFIG names"):
        search(
            data,
            dataclasses.replace(config, distribution="auto"),
            tmp_path / "s",
        )
    assert not (tmp_path / "s").exists()
    # One by one, as on one machine.
    search(
        data,
        dataclasses.replace(config, distribution="none"),
        tmp_path / "s",
        1,
    )
    assert set(trials(tmp_path / "s")) == {0}


def test_a_trial_that_had_ended_has_its_values(
    data, config, tmp_path, monkeypatch
):
    def kill(*_, **__):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(module.optuna.Study, "tell", kill)
        with pytest.raises(Killed):
            search(data, config, tmp_path, 1)
    search(data, config, tmp_path, 1)
    study = module.optuna.load_study(
        study_name="tfrec", storage=f"sqlite:///{tmp_path}/study.db"
    )
    values = study.best_trial.intermediate_values
    assert list(values) == [1, 2]
    assert max(values.values()) == pytest.approx(study.best_value)


def test_another_search_is_refused(data, config, tmp_path):
    search(data, config, tmp_path / "s", 1)
    other = dataclasses.replace(config, batch_size=5)
    with pytest.raises(InputError, match="--batch_size was 6 and is 5"):
        search(data, other, tmp_path / "s", 1)


def test_a_search_from_before_a_setting_goes_on(data, config, tmp_path):
    search(data, config, tmp_path, 1)
    study = module.optuna.load_study(
        study_name="tfrec", storage=f"sqlite:///{tmp_path}/study.db"
    )
    known = study.user_attrs["search"]
    for name in ("--shift", "--long_sequences", "trial 0"):
        del known[name]
    study.set_user_attr("search", known)
    search(data, config, tmp_path, 2)
    assert set(trials(tmp_path)) == {0, 1}
    del known["--batch_size"]
    study.set_user_attr("search", known)
    with pytest.raises(InputError, match=r"--batch_size was .* and is 6"):
        search(data, config, tmp_path, 2)


def test_a_trial_that_fails_is_counted_and_told(
    data, config, tmp_path, capsys, monkeypatch
):
    config = dataclasses.replace(config, verbose="line")
    draw = module._draw

    def wrong(trial, space):
        drawn = draw(trial, space)
        return drawn | ({"shift": 0.99} if trial.number == 0 else {})

    monkeypatch.setattr(module, "_draw", wrong)
    search(data, config, tmp_path / "s", 2)
    assert "Failed: `--shift` must be at most 0.95" in capsys.readouterr().out
    flags = (tmp_path / "s" / "best.flags").read_text()
    assert "# Trials: 2; 0 of them stopped early, 1 failed." in flags


def test_a_search_in_which_all_failed_says_why(
    data, config, tmp_path, monkeypatch
):
    monkeypatch.setattr(module, "_draw", lambda *_: {"shift": 2.0})
    with pytest.raises(InputError, match=r"No trial of 1 .*`--shift` must be"):
        search(data, config, tmp_path / "s", 1)


def test_a_full_disk_says_nothing_of_the_settings(
    data, config, tmp_path, monkeypatch
):
    def full(*_, **__):
        raise CannotWriteError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(module, "train", full)
        with pytest.raises(CannotWriteError, match="no space left"):
            search(data, config, tmp_path / "s", 1)
    search(data, config, tmp_path / "s", 1)
    assert set(trials(tmp_path / "s")) == {0}


def test_what_memory_failed_is_tried_again_by_the_next_search(
    data, config, tmp_path, monkeypatch, capsys
):
    whole = module.train

    def short(data, config, *others):
        if config.run_dir.endswith("trial-000"):
            raise OutOfMemoryError("Out of memory. Lower `--batch`.")
        return whole(data, config, *others)

    config = dataclasses.replace(config, verbose="line")
    with monkeypatch.context() as patch:
        patch.setattr(module, "train", short)
        with pytest.raises(InputError, match=r"No trial of 1 .*Lower `--batch"):
            search(data, config, tmp_path / "s", 1)
        search(data, config, tmp_path / "s", 2)
    assert "again by the next search: Out of" in capsys.readouterr().out
    assert "# Trials: 1;" in (tmp_path / "s" / "best.flags").read_text()
    search(data, config, tmp_path / "s", 2)
    assert (
        "# Trials: 2; 0 of them stopped early, 0 failed."
        in (tmp_path / "s" / "best.flags").read_text()
    )


def test_a_search_beside_another_is_told_so(data, config, tmp_path):
    with locked(tmp_path / "s", "searching in", "--study_dir"):
        pattern = r"is searching in .*s\. Give another `--study_dir`"
        with pytest.raises(InputError, match=pattern):
            search(data, config, tmp_path / "s", 1)


def test_a_trial_that_another_process_trains_stops_the_search(
    data, config, tmp_path
):
    with (
        locked(tmp_path / "s" / "trial-000"),
        pytest.raises(OutsideError, match="is training"),
    ):
        search(data, config, tmp_path / "s", 1)
    search(data, config, tmp_path / "s", 1)
    assert set(trials(tmp_path / "s")) == {0}


def test_another_patience_is_another_search(data, config, tmp_path):
    search(data, config, tmp_path, 1)
    patient = dataclasses.replace(config, patience=7)
    with pytest.raises(InputError, match=r"--patience was \w+ and is 7"):
        search(data, patient, tmp_path, 1)


def test_a_large_seed_draws_settings_too(data, config, tmp_path):
    for name, seed in (("a", 2**32 - 1), ("b", 2**32 - 1), ("c", 2**16)):
        seeded = dataclasses.replace(config, seed=seed)
        search(data, seeded, tmp_path / name, 1)
    a, b, c = (trials(tmp_path / name)[0] for name in "abc")
    assert a == b != c


def test_what_was_found_names_data_where_they_are(data, config, tmp_path):
    moved = shutil.copytree(data.data_dir, tmp_path / "moved")
    search(PreparedDataset.open(moved), config, tmp_path / "s", 1)
    flags = (tmp_path / "s" / "best.flags").read_text().splitlines()
    assert f"--data_dir={moved}" in flags
    assert sum(line.startswith("--data_dir=") for line in flags) == 1


def test_a_resumed_trial_has_its_earlier_values(tmp_path):
    study = module.optuna.create_study(direction="maximize")
    (tmp_path / "epochs.csv").write_text(
        "epoch,step,val_ndcg@10\n1,5,0.25\n2,10,\n3,15,0.5\n4,20,0.125\n"
    )
    trial = study.ask()
    judge = module.Judge(trial, "ndcg@10", tmp_path / "epochs.csv")
    # From the checkpoint of the third epoch; the fourth is trained again.
    judge.on_epoch_end(3, {"val_ndcg@10": 0.125})
    judge.on_epoch_end(4, {"val_ndcg@10": 0.375})
    # Killed between its first checkpoint and its first row.
    early = module.Judge(study.ask(), "ndcg@10", tmp_path / "no.csv")
    early.on_epoch_end(1, {"val_ndcg@10": 0.125})
    kept, _ = study.get_trials()
    assert kept.intermediate_values == {1: 0.25, 3: 0.5, 4: 0.125, 5: 0.375}


def test_a_bad_trial_is_stopped(tmp_path):
    study = module.optuna.create_study(
        direction="maximize",
        pruner=module.optuna.pruners.MedianPruner(1, 2),
    )
    good = study.ask()
    for step in (1, 2, 3):
        good.report(0.5, step)
    study.tell(good, 0.5)
    judge = module.Judge(study.ask(), "ndcg@10", tmp_path / "epochs.csv")
    judge.on_epoch_end(0, {"val_ndcg@10": np.float32(0.1)})
    judge.on_epoch_end(1, {"loss": 1.0})
    # Every trial has two epochs.
    with pytest.raises(module.optuna.TrialPruned):
        judge.on_epoch_end(1, {"val_ndcg@10": 0.1})


def test_flags_give_the_settings_again(tmp_path):
    config = TrainingConfig(
        model="pop", cutoffs=(10, 3), deterministic=True, warmup_epochs=0.0
    )
    path = tmp_path / "x.flags"
    path.write_text("\n".join(config.given_flags()))
    assert read_flagfile(path)[1] == config


@pytest.mark.parametrize(
    "name", [name for name in MODELS if get_entry(name).config_class.space]
)
def test_a_model_takes_every_corner_of_its_space(name):
    config_class = get_entry(name).config_class
    for last in (0, -1):
        changes = {
            key: (values.values if isinstance(values, OneOf) else values[:2])[
                last
            ]
            for key, values in config_class.space.items()
        }
        config_class(**changes)


def test_one_target_drawn_has_no_decay():
    given = get_entry("sasrec").config_class(target_window=8, target_decay=0.8)
    drawn = module._with(given, {"target_window": 1})
    assert (drawn.target_window, drawn.target_decay) == (1, 1.0)
    assert module._with(given, {"target_window": 3}).target_decay == 0.8


def test_the_command_refuses_what_means_nothing():
    with pytest.raises(InputError, match="`--prune_after` means nothing with"):
        command.TuningConfig(study_dir="x", prune=False, prune_after=5)


def test_what_means_nothing_is_not_drawn():
    given = get_entry("svae").config_class(posterior="implicit")
    assert "kl_weight" in given.space
    assert "kl_weight" not in command._space("svae", given, "all")
    # Drawn in the order of the space, however they are named.
    for names in ("latent_dim,dropout", "dropout,latent_dim"):
        space = command._space("svae", given, names)
        assert list(space) == [n for n in given.space if n in names]
    with pytest.raises(InputError, match="'kl_weight' means nothing with --po"):
        command._space("svae", given, "latent_dim,kl_weight")
