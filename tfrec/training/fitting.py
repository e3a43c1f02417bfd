"""Training a run: start or resume, fit, select, test once."""

import contextlib
import dataclasses
import functools
import shlex
import time
import warnings
from collections.abc import Callable, Sequence
from itertools import starmap
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfrec.data import PreparedDataset
from tfrec.errors import InputError, InputWarning
from tfrec.models import Recommender, get_model
from tfrec.settings import Settings, flag_text
from tfrec.training.blending import read_members, restore_members
from tfrec.training.callbacks import NanGuard, Recorder, finished
from tfrec.training.checkpoints import (
    Checkpoints,
    Progress,
    newest_checkpoint,
    read_progress,
    restore_model,
)
from tfrec.training.config import TrainingConfig
from tfrec.training.description import (
    FILE_NAME,
    MEASURED,
    describe,
    identify,
    read_description,
    sections,
    versions,
)
from tfrec.training.diagnostics import LatentDiagnostics
from tfrec.training.files import locked, read_json, replacing, write_json
from tfrec.training.measured import measure
from tfrec.training.progress import EpochBar, say
from tfrec.training.reading import (
    batches,
    check_recency,
    check_splits,
    divides_files,
    steps_per_epoch,
)
from tfrec.training.run import (
    CHECKPOINTS,
    EPOCHS,
    EVALUATION_FLAGS,
    METRICS,
    RANKS,
    Run,
    build,
    explained,
)
from tfrec.training.signals import not_lost, stop_requested
from tfrec.training.strategy import make_strategy
from tfrec.training.tensorboard import Board
from tfrec.training.warm_start import Start
from tfrec.training.workers import Workers


def train(
    data: PreparedDataset,
    config: TrainingConfig | None = None,
    model_config: Settings | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> dict[str, Any]:
    """Trains a model or resumes its training, and tests it once at the end.

    With `fit_on="train"` the test takes the epoch that is best on the
    validation split, with `fit_on="all"` the last one. Ctrl-C and SIGTERM stop
    the run after the current step, with a checkpoint.

    Example:

        data = prepare(DataConfig(dataset="ml-1m"))
        numbers = train(data, TrainingConfig(epochs=50, run_dir="runs/first"))
        model = load_run("runs/first").model

    Args:
        data: What to train on.
        config: How to train. `deterministic` holds for the whole process.
        model_config: Settings of the model that `config` names; its defaults
            when absent.
        callbacks: Keras callbacks beside those of the run; with several
            workers each worker has its own. They count epochs of the run,
            from 0, and steps of a call of `fit`, of which a run that resumes
            within an epoch takes two. Each sees the end of every epoch before
            it is recorded: one whose recording a kill prevents is seen again
            when the run is resumed. One that sets `model.stop_training` at
            the end of an epoch ends the run as `patience` does, but the same
            call then trains on. What they keep is not in the checkpoints.

    Returns:
        What `metrics.json` holds.

    Raises:
        InputError: If a setting is wrong, the run directory holds a run with
            other settings, `init_from` or `measured_by` names no run that
            fits, a file is damaged or cannot be written, or the
            training diverges.
        KeyboardInterrupt: If it was stopped by a signal.
    """
    config = config or TrainingConfig()
    model_config = model_config or get_model(config.model).config_class()
    if get_model(config.model).one_pass:
        if config.epochs not in (1, TrainingConfig.epochs):
            warnings.warn(
                f"--model={config.model} reads the training split once, "
                f"whatever `--epochs` says. Received: {config.epochs}.",
                InputWarning,
                stacklevel=2,
            )
        config = dataclasses.replace(config, epochs=1)
    if get_model(config.model).blends:
        model_config = read_members(model_config, data, config)
    folder = Path(config.run_dir or f"runs/{config.model}-{data.data_dir.name}")
    test = config.test and not data.protocol.no_test
    check_splits(data, config, test)
    check_recency(data, config)
    workers = Workers(make_strategy(config.distribution))
    with contextlib.ExitStack() as stack:
        stack.enter_context(workers.together())
        stack.enter_context(
            explained(data, "batch_size", "max_length", *EVALUATION_FLAGS)
        )
        workers.refuse_differences(identify(data, config, model_config))
        start = None
        with workers.agreeing():
            if workers.chief:
                stack.enter_context(locked(folder))
                if config.init_from and not newest_checkpoint(
                    folder / CHECKPOINTS
                ):
                    # Before the folder has settings that are to be kept.
                    start = Start.read(data, config)
                measured = measure(folder, data, config, model_config)
                describe(
                    folder, data, config, model_config, **{MEASURED: measured}
                )
        if not workers.chief:
            say(config, f"Worker {workers.index}; worker 0 reports.")
            config = dataclasses.replace(
                config, verbose="none", diagnostic_sequences=0
            )
        folder = stack.enter_context(
            workers.copied(folder, [CHECKPOINTS, METRICS, RANKS, FILE_NAME])
        )
        measured = read_description(folder).get(MEASURED)
        done = _numbers_of_finished(folder, data, config, test)
        numbers = done or _train(
            folder, data, config, model_config, workers, callbacks, test, start
        )
        return numbers | ({MEASURED: measured} if measured else {})


def _train(
    folder: Path,
    data: PreparedDataset,
    config: TrainingConfig,
    model_config: Settings,
    workers: Workers,
    callbacks: Sequence[keras.callbacks.Callback],
    test: bool,
    start: Start | None,
) -> dict[str, Any]:
    validation = None
    if config.fit_on == "train":
        validation = data.evaluation("validation", config.evaluation_batch_size)
    steps = steps_per_epoch(data, config)
    divided = divides_files(data, config, workers)

    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(config.seed)
    with make_strategy(config.distribution).scope():
        model = build(data, config, model_config)
    read = functools.partial(batches, model, data, config)

    progress = Progress()
    checkpoints = Checkpoints(folder / CHECKPOINTS, model, progress)
    checkpoints.restore_newest()
    if progress.step:
        say(config, f"Resuming {folder} after {progress}.")
    else:
        say(config, f"Training {config.model} in {folder}.")
        started = time.monotonic()
        if model.blends:
            # Its time has that of its members.
            progress.wall_seconds += restore_members(model)
        model.adapt(read())
        if model.chooses:
            model.choose(validation, config.validation_metric)
            chosen = starmap(flag_text, model.chosen().items())
            say(
                config,
                f"Chosen on the validation split: {shlex.join(chosen)}",
            )
        if config.init_from:
            with workers.agreeing():
                start = start or Start.read(data, config)
                progress.origin = start.give(model, model_config)
            say(config, progress.origin)
        # All that a model which counts takes.
        progress.wall_seconds += time.monotonic() - started
    board = Board(folder / "tensorboard", model)
    board.configuration(sections(data, config, model_config))
    with stop_requested() as stop, not_lost(stop):
        recorder = Recorder(
            config,
            steps,
            progress,
            checkpoints,
            folder / EPOCHS,
            board,
            _diagnostics(model, data, config),
            stop,
            workers,
        )
        if divided:
            read = functools.partial(workers.divide, read)
        watching = [
            NanGuard(config, progress),
            *callbacks,
            recorder,
            EpochBar(config, steps, progress),
        ]
        _fit(model, read, validation, config, steps, progress, watching)

    restore_model(folder / CHECKPOINTS, model)
    board.project(data)
    result = {}
    if test:
        if progress.best_epoch:
            say(config, f"Testing epoch {progress.best_epoch}, the best.")
        run = Run(folder, model, data, config)
        ranks = run.rank("test")
        # Of fewer epochs, if there are any; never beside ranks of others.
        (folder / METRICS).unlink(missing_ok=True)
        with replacing(folder / RANKS) as file:
            ranks.save(file)
        result = run.evaluate("test", ranks)
        board.test(result["metrics"], progress.step)
    else:
        (folder / METRICS).unlink(missing_ok=True)
        (folder / RANKS).unlink(missing_ok=True)
    result |= _summary(data, config, model, progress)
    write_json(folder / METRICS, result)
    return result


def _fit(
    model: Recommender,
    read: Callable[[int, int], tf.data.Dataset],
    validation: tf.data.Dataset | None,
    config: TrainingConfig,
    steps: int,
    progress: Progress,
    callbacks: list[keras.callbacks.Callback],
) -> None:
    """Fits from where `progress` stands to the end."""
    every = config.validate_every
    model.stop_training = False
    while not (model.stop_training or finished(progress, config, steps)):
        epoch, offset = divmod(progress.step, steps)
        # The rest of an epoch begun earlier is a call of its own, because
        # every epoch of a call has as many steps.
        end = epoch + 1 if offset else config.epochs
        model.fit(
            read(end, progress.step),
            initial_epoch=epoch,
            epochs=end,
            steps_per_epoch=steps - offset,
            validation_data=validation,
            validation_freq=[*range(every, end + 1, every), config.epochs],
            shuffle=False,
            verbose=0,
            callbacks=callbacks,
        )


def _numbers_of_finished(
    folder: Path, data: PreparedDataset, config: TrainingConfig, test: bool
) -> dict[str, Any] | None:
    """Returns what `metrics.json` holds if there is nothing left to do."""
    newest = newest_checkpoint(folder / CHECKPOINTS)
    path = folder / METRICS
    if not path.exists():
        return None
    if not newest:
        raise InputError(
            f"{folder} holds a finished run whose checkpoints are gone. Put "
            f"{CHECKPOINTS} back, or delete the folder to train it again."
        )
    progress = read_progress(newest)
    if not finished(progress, config, steps_per_epoch(data, config)):
        return None
    numbers = read_json(path)
    if numbers["steps"] != progress.step:
        # It went on, and was stopped before its test.
        return None
    if test and not ("metrics" in numbers and (folder / RANKS).exists()):
        return None
    say(config, f"{folder} is finished, after {progress}.")
    return numbers


def _diagnostics(
    model: Recommender, data: PreparedDataset, config: TrainingConfig
) -> LatentDiagnostics | None:
    """Returns diagnostics on validation histories, for a model with latent."""
    latent = model.latent()
    if not config.diagnostic_sequences or latent is None:
        return None
    if not data.manifest.splits["validation"]["records"]:
        return None
    return LatentDiagnostics(
        latent, model.config.max_length, data, config.diagnostic_sequences
    )


def _summary(
    data: PreparedDataset,
    config: TrainingConfig,
    model: Recommender,
    progress: Progress,
) -> dict[str, Any]:
    """Returns what `metrics.json` says beside the test metrics."""
    rate = None
    if progress.training_seconds:
        rate = progress.tokens / progress.training_seconds
    said = {
        "origin": progress.origin,
        "no_test": data.protocol.no_test,
        "chosen": model.chosen(),
    }
    return {
        "model": config.model,
        "parameters": model.count_params(),
        "epochs": len(progress.epochs),
        "steps": progress.step,
        "best_epoch": progress.best_epoch or None,
        "validation": {config.validation_metric: progress.best},
        "seed": config.seed,
        "data_checksum": data.manifest.data_checksum,
        "versions": versions(),
        **{k: value for k, value in said.items() if value},
        "wall_seconds": progress.wall_seconds,
        "tokens_per_second": rate,
    }
