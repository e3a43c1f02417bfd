"""Random search over a model's settings, judged on the validation split."""

import csv
import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfrec.data import PreparedDataset
from tfrec.durations import duration
from tfrec.errors import InputError, OutOfMemoryError, OutsideError
from tfrec.models.configs.space import OneOf, Space
from tfrec.settings import Settings
from tfrec.training.config import TrainingConfig
from tfrec.training.description import versions
from tfrec.training.files import locked, write_text
from tfrec.training.fitting import train
from tfrec.training.progress import say
from tfrec.training.run import EPOCHS
from tfrec.training.strategy import count_workers
from tfrec.training.warm_start import Start

try:
    import optuna
except ImportError as error:
    raise InputError(
        "`tfrec tune` needs Optuna: pip install optuna."
    ) from error

FLAGS = "best.flags"
# Trials that are never stopped, so that there is a median.
_FIRST = 5


def tune(
    data: PreparedDataset,
    config: TrainingConfig,
    model_config: Settings,
    space: Space,
    folder: Path,
    trials: int,
    prune_after: int,
    given_first: bool = False,
) -> str:
    """Tries random settings and writes the best as a file of flags.

    Each trial is a run in `folder`, without a test. A search that was
    interrupted goes on where it stopped.

    Args:
        data: What to train and validate on.
        config: How each trial is trained.
        model_config: The settings that all trials share.
        space: What is drawn for each.
        folder: Where the search is kept.
        trials: How many settings to try, those tried before included.
        prune_after: Epochs that each trial has before it may be stopped; 0 to
            stop none.
        given_first: Whether trial 0 has the settings of `model_config`.

    Returns:
        What was found, in words.

    Raises:
        InputError: If the folder holds another search, `config.init_from` is no
            run to start from, TF_CONFIG names several workers, or every trial
            failed.
    """
    if count_workers(config.distribution) > 1:
        raise InputError(
            "`tfrec tune` searches on one machine, and TF_CONFIG names several "
            "workers. Unset it, or give `--distribution=none`."
        )
    if config.init_from:
        # No trial can be blamed for it.
        Start.read(data, config)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with locked(folder, "searching in", "--study_dir"):
        study = _study(
            data, config, model_config, space, folder, prune_after, given_first
        )
        # Of a process that ended without a word; its run is resumed.
        for left in study.get_trials(states=[optuna.trial.TrialState.RUNNING]):
            study.tell(left.number, state=optuna.trial.TrialState.FAIL)
        done = {
            trial.user_attrs["index"]
            for trial in study.trials
            if trial.state != optuna.trial.TrialState.FAIL
            or "error" in trial.user_attrs
        }
        started, count = time.monotonic(), 0
        for index in range(trials):
            if index in done:
                continue
            drawn = {} if given_first and index == 0 else space
            _try(study, data, config, model_config, drawn, folder, index)
            count += 1
            left = trials - index - 1
            seconds = (time.monotonic() - started) / count * left
            standing = "No trial has ended well yet"
            if study.get_trials(states=[optuna.trial.TrialState.COMPLETE]):
                standing = _standing(study)
            say(config, f"{standing}, about {duration(seconds)} left")
        text = _flags(study, data, config, model_config, space)
        write_text(folder / FLAGS, text, "--study_dir")
        return f"{_standing(study)}. Written: {folder / FLAGS}"


class Judge(keras.callbacks.Callback):
    """Tells the search how a trial does, and stops one that does badly.

    Args:
        trial: The trial.
        metric: The one by which it is judged.
        epochs: The table of the run's epochs. Of a run that is resumed it
            holds those before.
    """

    def __init__(self, trial: optuna.Trial, metric: str, epochs: Path):
        super().__init__()
        self._trial = trial
        self._metric = f"val_{metric}"
        self._epochs = epochs
        self._known = False

    def on_epoch_end(self, epoch, logs=None):
        """Raises `optuna.TrialPruned` to stop the trial."""
        self.report_before(epoch)
        if self._metric not in logs:
            return
        self._trial.report(float(logs[self._metric]), epoch + 1)
        if self._trial.should_prune():
            raise optuna.TrialPruned

    def report_before(self, epoch: int) -> None:
        """Reports what no epoch was seen of: those before that, from 0."""
        known, self._known = self._known, True
        # After a checkpoint a kill may come before its row, the first too.
        if known or not epoch or not self._epochs.exists():
            return
        with open(self._epochs, encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                value = row.get(self._metric)
                if int(row["epoch"]) <= epoch and value:
                    self._trial.report(float(value), int(row["epoch"]))


def _study(
    data: PreparedDataset,
    config: TrainingConfig,
    model_config: Settings,
    space: Space,
    folder: Path,
    prune_after: int,
    given_first: bool,
) -> optuna.Study:
    """Opens the study, or begins it."""
    pruner = optuna.pruners.NopPruner()
    if prune_after:
        pruner = optuna.pruners.MedianPruner(_FIRST, prune_after)
    study = optuna.create_study(
        study_name="tfrec",
        storage=f"sqlite:///{(folder / 'study.db').absolute()}",
        direction="maximize",
        load_if_exists=True,
        pruner=pruner,
    )
    wanted = {
        "data": data.manifest.data_checksum,
        **{f"--{k}": v for k, v in config.identity().items()},
        **{f"--{k}": v for k, v in model_config.to_dict().items()},
        **{f"the space of {name}": str(v) for name, v in space.items()},
        "--epochs": config.epochs,
        "--patience": config.patience,
        "--prune_after": prune_after,
        "trial 0": "given" if given_first else "drawn",
    }
    wanted = {name: str(value) for name, value in wanted.items()}
    saved = study.user_attrs.get("search", wanted)
    # A search begun before a setting existed has its default. The patience was
    # not kept at first.
    before = {
        f"--{field.name}": str(field.default)
        for settings in (config, model_config)
        for field in dataclasses.fields(settings)
        if f"--{field.name}" in wanted
    }
    saved = before | {
        "trial 0": "drawn",
        "--patience": wanted["--patience"],
        **saved,
    }
    for name in {**saved, **wanted}:
        if saved.get(name) != wanted.get(name):
            raise InputError(
                f"{folder} holds another search: {name} was {saved.get(name)} "
                f"and is {wanted.get(name)}. Give another `--study_dir`."
            )
    study.set_user_attr("search", wanted)
    return study


def _seed(seed: int, index: int) -> int:
    """Returns the seed of a trial's settings, the same whenever it is run."""
    if seed < 2**16:
        return seed * 2**16 + index
    # The sampler takes 32 bits.
    return int(np.random.SeedSequence([seed, index]).generate_state(1)[0])


def _draw(trial: optuna.Trial, space: Space) -> dict[str, Any]:
    """Draws a value for each setting."""
    drawn = {}
    for name, values in space.items():
        if isinstance(values, OneOf):
            drawn[name] = trial.suggest_categorical(name, values.values)
        elif isinstance(values.low, int):
            drawn[name] = trial.suggest_int(name, *values[:2], log=values.log)
        else:
            drawn[name] = trial.suggest_float(name, *values[:2], log=values.log)
    return drawn


def _with(model_config: Settings, drawn: Mapping[str, Any]) -> Settings:
    """Returns the settings with those drawn, and no decay of one target."""
    if drawn.get("target_window") == 1:
        drawn = {**drawn, "target_decay": 1.0}
    return dataclasses.replace(model_config, **drawn)


def _try(
    study: optuna.Study,
    data: PreparedDataset,
    config: TrainingConfig,
    model_config: Settings,
    space: Space,
    folder: Path,
    index: int,
) -> None:
    """Runs the trial of an index, to whatever end."""
    study.sampler = optuna.samplers.RandomSampler(_seed(config.seed, index))
    trial = study.ask()
    trial.set_user_attr("index", index)
    drawn = _draw(trial, space)
    shown = ", ".join(f"{name}={_short(v)}" for name, v in drawn.items())
    say(config, f"Trial {index}: {shown or 'the settings as given'}")
    metric = config.validation_metric
    run_dir = folder / f"trial-{index:03}"
    judge = Judge(trial, metric, run_dir / EPOCHS)
    try:
        found = train(
            data,
            dataclasses.replace(config, run_dir=str(run_dir), test=False),
            _with(model_config, drawn),
            [judge],
        )
        # All, if it had ended before it was told so.
        judge.report_before(config.epochs)
    except optuna.TrialPruned:
        say(config, "Stopped: below the median of the trials before.")
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    except OutsideError:
        # Nothing is known of the settings: the next search tries them again.
        raise
    except OutOfMemoryError as error:
        # So does it here, perhaps with a smaller `--evaluation_batch_size`.
        say(config, f"To be tried again by the next search: {error}")
        trial.set_user_attr("memory", str(error))
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
    except InputError as error:
        say(config, f"Failed: {error}")
        trial.set_user_attr("error", str(error))
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
    else:
        trial.set_user_attr("epoch", found["best_epoch"])
        study.tell(trial, found["validation"][metric])


def _best(study: optuna.Study) -> optuna.trial.FrozenTrial:
    """Returns the best trial.

    Raises:
        InputError: If none has ended well.
    """
    try:
        return study.best_trial
    except ValueError:
        errors = [
            t.user_attrs.get("error") or t.user_attrs.get("memory", "")
            for t in study.trials
        ]
        raise InputError(
            f"No trial of {len(errors)} has ended well. The last: {errors[-1]}"
        ) from None


def _standing(study: optuna.Study) -> str:
    best = _best(study)
    return (
        f"Best: trial {best.user_attrs['index']}, validation {best.value:.4f} "
        f"in epoch {best.user_attrs['epoch']}"
    )


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _flags(
    study: optuna.Study,
    data: PreparedDataset,
    config: TrainingConfig,
    model_config: Settings,
    space: Space,
) -> str:
    """Returns the best settings as a file of flags, with what they are."""
    best = _best(study)
    states = optuna.trial.TrialState
    ended = [trial.state for trial in study.trials]
    failed = sum("error" in trial.user_attrs for trial in study.trials)
    stopped = ended.count(states.PRUNED)
    tried = ended.count(states.COMPLETE) + stopped + failed
    lines = [
        f"# {config.model}, found by tfrec tune: random search.",
        f"# Trials: {tried}; {stopped} of them stopped early, {failed} failed.",
        "# Space:",
        *(f"#   {name}: {values}" for name, values in space.items()),
        f"# Best: {config.validation_metric} {best.value:.4f} in epoch "
        f"{best.user_attrs['epoch']} of trial {best.user_attrs['index']}"
        f"{'' if best.params else ', the settings as given'}.",
        f"# On: validation, {data.describe('validation')}, data "
        f"{data.manifest.data_checksum}.",
        f"# With: {', '.join(f'{k} {v}' for k, v in versions().items())}.",
    ]
    prepared = type(data.protocol.config).from_dict(data.manifest.settings)
    if prepared.data_path.resolve() != data.data_dir.resolve():
        # It was moved since.
        prepared = dataclasses.replace(prepared, data_dir=str(data.data_dir))
    chosen = dataclasses.replace(
        config,
        run_dir="",
        test=True,
        verbose="auto",
        diagnostic_sequences=256,
    )
    for part in (
        prepared,
        chosen,
        _with(model_config, best.params),
    ):
        lines += part.given_flags()
    return "\n".join(lines) + "\n"
