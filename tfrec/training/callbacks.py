"""Keras callbacks of a run: watch, count, record, save, select, stop."""

import csv
import io
import threading
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfrec.training.checkpoints import (
    Checkpoints,
    Progress,
    diverged,
    refuse_infinite,
)
from tfrec.training.config import TrainingConfig
from tfrec.training.diagnostics import LatentDiagnostics
from tfrec.training.files import write_text
from tfrec.training.progress import say
from tfrec.training.tensorboard import Board
from tfrec.training.workers import Workers

# Within an epoch; most epochs are shorter.
_STEPS_BETWEEN_EVENTS = 100
# Without an active unit, until it is said.
_EPOCHS_COLLAPSED = 5


class NanGuard(keras.callbacks.Callback):
    """Stops when a term of the objective or a weight is no longer finite.

    Must come before `Recorder`, which would save and count the step.

    Args:
        config: Settings of the run.
        progress: Tells the steps before this one.
    """

    def __init__(self, config: TrainingConfig, progress: Progress):
        super().__init__()
        self._steps = config.steps_per_execution
        self._progress = progress

    def on_train_batch_end(self, batch, logs=None):
        """Raises `InputError` naming the step and the terms."""
        wrong = [k for k, v in logs.items() if not np.isfinite(v)]
        if not wrong:
            return
        first, last = self._progress.step + 1, self._progress.step + self._steps
        steps = f"step {last}" if first == last else f"steps {first} to {last}"
        terms = ", ".join(f"{name} is {float(logs[name])}" for name in wrong)
        raise diverged(f" at {steps}: {terms}")

    def on_test_begin(self, logs=None):
        """Raises `InputError` naming a weight, before scores come of it.

        The terms are those before an update, which may be an epoch's last.
        """
        refuse_infinite(self.model)


class Recorder(keras.callbacks.Callback):
    """Counts steps, keeps the numbers of each epoch, saves and selects.

    Must come after callbacks that may end the run by `stop_training`.

    Args:
        config: Settings of the run.
        steps_per_epoch: Training steps in an epoch.
        progress: Where the run stands; updated.
        checkpoints: Where it is saved.
        log: The file of one row for each epoch.
        board: Where it is shown.
        diagnostics: Looks at the latents; None for a model without any.
        stop: When set, the run saves itself and stops after the step.
        workers: All of which save and stop together.
    """

    def __init__(
        self,
        config: TrainingConfig,
        steps_per_epoch: int,
        progress: Progress,
        checkpoints: Checkpoints,
        log: Path,
        board: Board,
        diagnostics: LatentDiagnostics | None,
        stop: threading.Event,
        workers: Workers,
    ):
        super().__init__()
        self._config = config
        self._steps_per_epoch = steps_per_epoch
        self._progress = progress
        self._checkpoints = checkpoints
        self._log = log
        self._board = board
        self._diagnostics = diagnostics
        self._stop = stop
        self._workers = workers
        self._metrics: list[tf.Tensor] = []
        self._traced = False
        self._clock: tuple[float, int, int] | None = None
        self._epoch_seconds, self._epoch_tokens, self._epoch_steps = 0.0, 0, 0
        self._saved_at = self._started_at = time.monotonic()
        self._wall_before = progress.wall_seconds
        write_epochs(log, progress.epochs)

    def on_train_begin(self, logs=None):
        """Keeps the metrics of an epoch that is resumed in its middle."""
        if self._progress.step % self._steps_per_epoch:
            self._metrics = self.model.totals()

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clock."""
        # Keras has just reset the metrics.
        if self._metrics:
            for variable, value in zip(
                self.model.metrics_variables, self._metrics, strict=True
            ):
                variable.assign(value)
            self._metrics = []
        self._epoch_seconds, self._epoch_tokens, self._epoch_steps = 0.0, 0, 0
        self._start_clock()

    def on_train_batch_end(self, batch, logs=None):
        """Counts, and saves when it is time."""
        self._progress.step += self._config.steps_per_execution
        if not self._traced:
            self._traced = True
            self._start_clock()
        if self._progress.step % self._steps_per_epoch == 0:
            # `on_epoch_end` saves: resumed from here, the run would skip the
            # validation of this epoch, which follows.
            self.model.catch_up()
            return
        before = self._progress.step - self._config.steps_per_execution
        events = _STEPS_BETWEEN_EVENTS
        if self._progress.step // events > before // events:
            self._board.step(logs, self._progress.step)
        due, stop = self._agreed()
        if due:
            self._stop_clock()
            self._save("last")
            self._start_clock()
        if stop:
            self._heed_stop()

    def on_test_begin(self, logs=None):
        """Stops the clock: validation is no training."""
        self._stop_clock()

    def on_epoch_end(self, epoch, logs=None):
        """Records the epoch, keeps the better one, decides on stopping."""
        self._stop_clock()
        progress = self._progress
        row = {"epoch": epoch + 1, "step": progress.step}
        row |= {name: float(value) for name, value in logs.items()}
        if self._epoch_steps:
            row["tokens_per_second"] = self._epoch_tokens / self._epoch_seconds
            row["steps_per_second"] = self._epoch_steps / self._epoch_seconds
        posterior, latents = {}, None
        if self._diagnostics:
            with self.model.as_used():
                posterior, latents = self._diagnostics()
        self._board.epoch(row, posterior, latents)
        row |= posterior
        progress.epochs.append(row)
        better = self._select(row)
        last = self.model.stop_training or finished(
            progress, self._config, self._steps_per_epoch
        )
        if _collapsed(progress.epochs, last):
            say(
                self._config,
                "The posterior has collapsed: no dimension of the latent "
                "varies with the input.",
            )
        if better:
            self._save("best")
        due, stop = self._agreed()
        if better or last or due:
            self._save("last")
        write_epochs(self._log, progress.epochs)
        self.model.stop_training = last
        if stop:
            self._heed_stop()

    def _heed_stop(self) -> None:
        self._save("last")
        say(
            self._config,
            f"\nStopped after {self._progress}. The same command resumes.",
        )
        self._workers.wait()
        raise KeyboardInterrupt

    def _select(self, row: dict[str, Any]) -> bool:
        """Returns whether this epoch is the best so far."""
        progress = self._progress
        value = row.get(f"val_{self._config.validation_metric}")
        if value is None:
            return False
        if progress.best is not None and value <= progress.best:
            return False
        progress.best, progress.best_epoch = value, row["epoch"]
        return True

    def _agreed(self) -> list[bool]:
        """Returns whether a checkpoint is due and whether to stop.

        Of several workers only some may have been told to stop, and their
        clocks differ; all have to save after the same step.
        """
        minutes = (time.monotonic() - self._saved_at) / 60
        due = minutes >= self._config.checkpoint_minutes
        return self._workers.any(due, self._stop.is_set())

    def _save(self, name: str) -> None:
        now = time.monotonic()
        self._progress.wall_seconds = self._wall_before + now - self._started_at
        self._checkpoints.save(name)
        self._saved_at = now

    def _start_clock(self) -> None:
        # The first step is mostly spent on tracing the graph.
        if self._traced:
            tokens = int(self.model.tokens.result())
            self._clock = time.monotonic(), tokens, self._progress.step

    def _stop_clock(self) -> None:
        if self._clock is None:
            return
        started, tokens, step = self._clock
        self._clock = None
        seconds = time.monotonic() - started
        tokens = int(self.model.tokens.result()) - tokens
        self._epoch_seconds += seconds
        self._epoch_tokens += tokens
        self._epoch_steps += self._progress.step - step
        self._progress.training_seconds += seconds
        self._progress.tokens += tokens


def finished(
    progress: Progress, config: TrainingConfig, steps_per_epoch: int
) -> bool:
    """Returns whether a run has had its epochs or lost its patience."""
    epoch = progress.step // steps_per_epoch
    if epoch >= config.epochs:
        return True
    # Epochs that were not validated had no chance to be better.
    waited = epoch // config.validate_every * config.validate_every
    waited -= progress.best_epoch
    return bool(
        config.patience and progress.best_epoch and waited >= config.patience
    )


def write_epochs(path: Path, rows: list[dict[str, Any]]) -> None:
    """Writes the rows of all epochs as CSV; a number not taken is empty."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def _collapsed(epochs: list[dict[str, float]], last: bool) -> bool:
    """Returns whether to say that no unit of the latent is active.

    Healthy runs may begin so. It is said once it lasts, and at the end.
    """
    recent = [row.get("active_units") for row in epochs[-_EPOCHS_COLLAPSED:]]
    return set(recent) == {0} and (last or len(recent) == _EPOCHS_COLLAPSED)
