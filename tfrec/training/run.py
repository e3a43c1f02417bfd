"""Runs: train, stop at any moment, resume, test once, load."""

import contextlib
import dataclasses
import importlib.metadata
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

import tfrec
from tfrec.data import PreparedDataset
from tfrec.errors import InputError
from tfrec.models import Recommender, get_model
from tfrec.settings import Settings
from tfrec.training.callbacks import (
    Bar,
    NanGuard,
    Recorder,
    finished,
    verbosity,
)
from tfrec.training.checkpoints import (
    Checkpoints,
    Progress,
    newest_checkpoint,
    read_progress,
    restore_model,
)
from tfrec.training.config import TrainingConfig
from tfrec.training.diagnostics import LatentDiagnostics
from tfrec.training.files import read_json, write_json
from tfrec.training.schedule import make_schedule
from tfrec.training.strategy import make_strategy
from tfrec.training.tensorboard import Board

FORMAT_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained model with its data and settings.

    Attributes:
        folder: The run directory.
        model: With the weights that the run selected.
        data: The prepared dataset that it was trained on.
        config: Settings of the training.
    """

    folder: Path
    model: Recommender
    data: PreparedDataset
    config: TrainingConfig

    def evaluate(self, split: str = "test") -> dict[str, Any]:
        """Ranks the targets of a split among all items.

        Returns:
            `protocol`, `split`, `examples` and `metrics`.
        """
        batches = self.data.evaluation(split, self.config.evaluation_batch_size)
        with explained(self.data):
            found = self.model.evaluate(
                batches, return_dict=True, verbose=verbosity(self.config)
            )
        names = [metric.name for metric in self.model.ranking_metrics]
        examples = self.data.manifest.splits[split]["records"]
        return {
            "protocol": self.data.protocol.describe(examples),
            "split": split,
            "examples": examples,
            "metrics": {name: found[name] for name in names},
        }


def train(
    data: PreparedDataset,
    config: TrainingConfig | None = None,
    model_config: Settings | None = None,
) -> dict[str, Any]:
    """Trains a model or resumes its training, and tests it once at the end.

    Example:

        data = prepare(DataConfig(dataset="ml-1m"))
        numbers = train(data, TrainingConfig(epochs=50, run_dir="runs/first"))
        model = load_run("runs/first").model

    Args:
        data: What to train on.
        config: How to train.
        model_config: Settings of the model that `config` names; its defaults
            when absent.

    Returns:
        What `metrics.json` holds.

    Raises:
        InputError: If a setting is wrong, the run directory holds a run with
            other settings, a file is damaged or cannot be written, or the
            training diverges.
    """
    config = config or TrainingConfig()
    model_class = get_model(config.model)
    model_config = model_config or model_class.config_class()
    folder = Path(config.run_dir or f"runs/{config.model}-{data.data_dir.name}")
    _describe(folder, data, config, model_config)
    steps = data.steps_per_epoch(config.batch_size, config.fit_on)
    if steps % config.steps_per_execution:
        divisors = [str(n) for n in range(1, steps + 1) if steps % n == 0]
        raise InputError(
            f"`--steps_per_execution` must divide the {steps} steps of an "
            f"epoch: {', '.join(divisors)}. Received: "
            f"{config.steps_per_execution}."
        )
    newest = newest_checkpoint(folder / "checkpoints")
    numbers = folder / "metrics.json"
    if newest and numbers.exists():
        progress = read_progress(newest)
        if finished(progress, config, steps):
            _say(config, f"{folder} is finished: {progress}.")
            return read_json(numbers)

    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(config.seed)
    with make_strategy(config.distribution).scope():
        model = build(data, config, model_config, steps)
    progress = Progress()
    checkpoints = Checkpoints(folder / "checkpoints", model, progress)
    checkpoints.restore_newest()
    if progress.step:
        _say(config, f"Resuming {folder} after {progress}.")
    else:
        model.adapt(
            data.training(
                config.batch_size,
                model.config.max_length,
                config.seed,
                config.fit_on,
            )
        )
    board = Board(
        folder / "tensorboard", model, _diagnostics(model, data, config)
    )
    board.configuration(_sections(data, config, model_config))
    recorder = Recorder(
        config,
        steps,
        progress,
        checkpoints,
        folder / "epochs.csv",
        board.epoch,
    )
    with explained(data):
        _fit(model, data, config, progress, steps, recorder)

    restore_model(folder / "checkpoints", model)
    board.project(data)
    result = Run(folder, model, data, config).evaluate("test")
    board.test(result["metrics"], progress.step)
    result |= _summary(data, config, model, progress, steps)
    write_json(numbers, result)
    return result


def _fit(
    model: Recommender,
    data: PreparedDataset,
    config: TrainingConfig,
    progress: Progress,
    steps: int,
    recorder: Recorder,
) -> None:
    """Fits from where `progress` stands to the end."""
    validation = None
    if config.fit_on == "train":
        validation = data.evaluation("validation", config.evaluation_batch_size)
    every = config.validate_every
    while not finished(progress, config, steps):
        epoch, offset = divmod(progress.step, steps)
        # The rest of an epoch begun earlier is a call of its own, because
        # every epoch of a call has as many steps.
        end = epoch + 1 if offset else config.epochs
        model.fit(
            data.training(
                batch_size=config.batch_size,
                max_length=model.config.max_length,
                seed=config.seed,
                fit_on=config.fit_on,
                epochs=end,
                first_step=progress.step,
            ),
            initial_epoch=epoch,
            epochs=end,
            steps_per_epoch=steps - offset,
            validation_data=validation,
            validation_freq=[*range(every, end + 1, every), config.epochs],
            shuffle=False,
            verbose=verbosity(config),
            callbacks=[NanGuard(config, progress), recorder, Bar(config)],
        )


def build(
    data: PreparedDataset,
    config: TrainingConfig,
    model_config: Settings,
    steps_per_epoch: int,
) -> Recommender:
    """Builds and compiles a model with all its variables.

    Raises:
        InputError: If the model has no learning rate that could follow a
            schedule.
    """
    model = get_model(config.model)(data.num_items, model_config)
    options = {}
    schedule = make_schedule(config, steps_per_epoch)
    if schedule:
        if not hasattr(model_config, "learning_rate"):
            raise InputError(
                "`--learning_rate_schedule` means nothing with "
                f"--model={config.model}, which has no learning rate. Remove "
                "it."
            )
        options["schedule"] = schedule
    model.compile(
        cutoffs=config.cutoffs,
        steps_per_execution=config.steps_per_execution,
        **options,
    )
    model.build_all()
    return model


def load_run(run_dir: str | Path, data_dir: str | Path = "") -> Run:
    """Loads the model that a run selected, with its data.

    Args:
        run_dir: A run directory.
        data_dir: Where the prepared dataset is now; where it was by default.

    Raises:
        InputError: If there is no such run, its data is not where it was or
            has changed, or the checkpoint cannot be read.
    """
    folder = Path(run_dir)
    saved = _read_config(folder)
    config = TrainingConfig.from_dict(saved["training"])
    model_class = get_model(config.model)
    model_config = model_class.config_class.from_dict(saved["model"])
    data = PreparedDataset.open(data_dir or saved["data_dir"])
    _check_data(folder, saved, data)
    with make_strategy(config.distribution).scope():
        model = build(data, config, model_config, steps_per_epoch=1)
    restore_model(folder / "checkpoints", model)
    return Run(folder, model, data, config)


# Configuration --------------------------------------------------------------


def _sections(
    data: PreparedDataset, config: TrainingConfig, model_config: Settings
) -> dict[str, dict[str, Any]]:
    return {
        "data": data.manifest.settings,
        "training": config.to_dict(),
        "model": model_config.to_dict(),
    }


def _describe(
    folder: Path,
    data: PreparedDataset,
    config: TrainingConfig,
    model_config: Settings,
) -> None:
    """Writes `config.json`, after a check against the one that is there."""
    path = folder / "config.json"
    if path.exists():
        saved = _read_config(folder)
        before = TrainingConfig.from_dict(saved["training"])
        _refuse_changes(
            folder,
            [
                (before.identity(), config.identity()),
                (saved["model"], model_config.to_dict()),
            ],
        )
        _check_data(folder, saved, data)
    write_json(
        path,
        {
            "format_version": FORMAT_VERSION,
            **_sections(data, config, model_config),
            "data_dir": str(data.data_dir.absolute()),
            "data_checksum": data.manifest.data_checksum,
        },
    )


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.exists():
        raise InputError(
            "`--run_dir` must be the folder of a run, with config.json. "
            f"Received: {folder}."
        )
    saved = read_json(path)
    if saved.get("format_version") != FORMAT_VERSION:
        raise InputError(
            f"{path} has format version {saved.get('format_version')}; this "
            f"tfrec ({tfrec.__version__}) reads version {FORMAT_VERSION}."
        )
    return saved


def _refuse_changes(
    folder: Path, pairs: list[tuple[dict[str, Any], dict[str, Any]]]
) -> None:
    """Raises `InputError` if settings (before, now) differ."""
    changes = [
        f"--{name} was {before.get(name)} and is {now.get(name)}"
        for before, now in pairs
        for name in {**before, **now}
        if before.get(name) != now.get(name)
    ]
    if changes:
        raise InputError(
            f"{folder} holds a run with other settings: {'; '.join(changes)}. "
            "Give back the old settings to resume it, or another `--run_dir`."
        )


def _check_data(
    folder: Path, saved: dict[str, Any], data: PreparedDataset
) -> None:
    received = data.manifest.data_checksum
    if received != saved["data_checksum"]:
        raise InputError(
            f"{data.data_dir} is not the dataset of {folder}: its items or "
            f"sequences differ (expected data checksum "
            f"{saved['data_checksum']}, received {received})."
        )


# Helpers --------------------------------------------------------------------


def _say(config: TrainingConfig, text: str) -> None:
    if config.verbose != "none":
        print(text)


def _diagnostics(
    model: Recommender, data: PreparedDataset, config: TrainingConfig
) -> LatentDiagnostics | None:
    count = min(
        config.diagnostic_sequences,
        data.manifest.splits["validation"]["records"],
    )
    if not count or not hasattr(model, "latents"):
        return None
    return LatentDiagnostics(model, data, "validation", count)


def _summary(
    data: PreparedDataset,
    config: TrainingConfig,
    model: Recommender,
    progress: Progress,
    steps: int,
) -> dict[str, Any]:
    """Returns what `metrics.json` says beside the test metrics."""
    packages = ("tensorflow", "keras", "numpy")
    rate = None
    if progress.training_seconds:
        rate = progress.tokens / progress.training_seconds
    return {
        "model": config.model,
        "parameters": model.count_params(),
        "epochs": progress.step // steps,
        "steps": progress.step,
        "best_epoch": progress.best_epoch or None,
        "validation": {config.validation_metric: progress.best},
        "seed": config.seed,
        "data_checksum": data.manifest.data_checksum,
        "versions": {
            "tfrec": tfrec.__version__,
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in packages},
        },
        "wall_seconds": progress.wall_seconds,
        "tokens_per_second": rate,
    }


@contextlib.contextmanager
def explained(data: PreparedDataset) -> Iterator[None]:
    """Turns TensorFlow's errors that a user can mend into `InputError`."""
    try:
        yield
    except tf.errors.OpError as error:
        failed = re.search(r"assertion failed: \[(.*?)\]", error.message)
        if failed:
            raise InputError(failed.group(1)) from error
        damaged = data.explain_read_error(error)
        if damaged:
            raise damaged from error
        raise
