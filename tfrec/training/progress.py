"""What a run shows on its way: loss, one metric, and the time left."""

import sys
import time
from collections.abc import Mapping, Sequence

import keras
from tqdm import tqdm

from tfrec.durations import duration
from tfrec.terminal import painted
from tfrec.training.checkpoints import Progress
from tfrec.training.config import TrainingConfig

# Of a bar, whose own estimates would be those of an epoch.
_FORMAT = "{desc} [{bar:20}] {n_fmt}/{total_fmt}{postfix}"
_FORMAT_WITHOUT_TOTAL = "{desc} {n_fmt}{postfix}"


def shown(config: TrainingConfig) -> str:
    """Returns what is shown: "bar", "line" or "none"."""
    if config.verbose != "auto":
        return config.verbose
    return "bar" if sys.stdout.isatty() else "line"


def say(config: TrainingConfig, text: str) -> None:
    """Prints a line, unless the run is to be silent."""
    if config.verbose != "none":
        # Above a bar, if one is drawn.
        tqdm.write(text, file=sys.stdout)
        sys.stdout.flush()


class TimeLeft:
    """Estimates how long the rest of a run takes, from what it did so far.

    A step to come takes as long as those since the start took on average, with
    all that happens between them; a validation takes as long as the last one.
    The first step, in which the graph is traced, does not count.

    Args:
        config: Settings of the run.
        steps_per_epoch: Training steps in an epoch.
        progress: Where the run stands.
    """

    def __init__(
        self, config: TrainingConfig, steps_per_epoch: int, progress: Progress
    ):
        self._config = config
        self._steps_per_epoch = steps_per_epoch
        self._progress = progress
        self._start: tuple[float, int] | None = None
        self._validation_start = self._validation = self._validations = 0.0

    def step(self) -> None:
        """Notes that a step has been taken."""
        if self._start is None:
            self._start = time.monotonic(), self._progress.step

    def begin_validation(self) -> None:
        """Notes that a validation begins."""
        self._validation_start = time.monotonic()

    def end_validation(self) -> None:
        """Notes that it ends."""
        self._validation = time.monotonic() - self._validation_start
        self._validations += self._validation

    def seconds(self) -> float | None:
        """Returns the seconds to the last epoch's end; None: not known yet."""
        if self._start is None or self._progress.step == self._start[1]:
            return None
        started, first = self._start
        training = time.monotonic() - started - self._validations
        steps = self._config.epochs * self._steps_per_epoch
        left = (steps - self._progress.step) / (self._progress.step - first)
        return training * left + self._validation * self._validations_left()

    def __str__(self) -> str:
        """Returns it in words, such as "about 3 min left"; "" if unknown."""
        seconds = self.seconds()
        if seconds is None:
            return ""
        # The run may lose its patience before.
        about = "at most" if self._config.patience else "about"
        return f"{about} {duration(seconds)} left"

    def _validations_left(self) -> int:
        if self._config.fit_on == "all":
            return 0
        done = self._progress.step // self._steps_per_epoch
        end, every = self._config.epochs, self._config.validate_every
        # The last epoch is validated whatever its number.
        return end // every - done // every + bool(end % every)


def _joined(parts: Sequence[str]) -> str:
    return " - ".join(filter(None, parts))


def numbers(config: TrainingConfig, logs: Mapping[str, float]) -> list[str]:
    """Returns the loss and the one metric, where they were taken."""
    metric = config.validation_metric
    return [
        f"{name}: {logs[name]:{'.4f' if abs(logs[name]) > 1e-3 else '.4e'}}"
        for name in ("loss", metric, f"val_{metric}")
        if name in logs
    ]


class Bar:
    """Shows how far something is, where a run draws bars.

    Args:
        config: Settings of the run.
        title: What is being done.
        total: Number of steps; None: not known.
    """

    def __init__(self, config: TrainingConfig, title: str, total: int | None):
        self._bar = None
        if shown(config) == "bar":
            self._bar = tqdm(
                desc=title,
                total=total,
                leave=False,
                file=sys.stdout,
                ascii=" =",
                dynamic_ncols=True,
                bar_format=_FORMAT if total else _FORMAT_WITHOUT_TOTAL,
            )

    def update(self, done: int, *parts: str, title: str = "") -> None:
        """Shows how many steps are done, and what is to be said of them.

        Args:
            done: The number of steps.
            *parts: What stands after it.
            title: What is being done now; as before by default.
        """
        if self._bar is not None:
            if title:
                self._bar.set_description_str(title, refresh=False)
            self._bar.set_postfix_str(_joined(parts), refresh=False)
            self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Removes the bar."""
        if self._bar is not None:
            self._bar.close()


class EpochBar(keras.callbacks.Callback):
    """Shows one bar for the whole run, and a row for each epoch that stays.

    On a terminal the row of an epoch that is the best so far is green.

    Must come after `Recorder`, which counts the steps.

    Args:
        config: Settings of the run.
        steps_per_epoch: Training steps in an epoch.
        progress: Where the run stands.
    """

    def __init__(
        self, config: TrainingConfig, steps_per_epoch: int, progress: Progress
    ):
        super().__init__()
        self._config = config
        self._steps_per_epoch = steps_per_epoch
        self._progress = progress
        self._left = TimeLeft(config, steps_per_epoch, progress)
        self._title = ""
        self._bar: Bar | None = None
        self._begun_at = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        """Begins a row."""
        self._title = f"Epoch {epoch + 1}/{self._config.epochs}"
        if self._bar is None:
            steps = self._config.epochs * self._steps_per_epoch
            self._bar = Bar(self._config, self._title, steps)
        self._begun_at = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        """Updates the bar."""
        self._left.step()
        parts = [*numbers(self._config, logs), str(self._left)]
        self._bar.update(self._progress.step, *parts, title=self._title)

    def on_test_begin(self, logs=None):
        """Notes the time of a validation."""
        self._left.begin_validation()

    def on_test_end(self, logs=None):
        """Notes the time of a validation."""
        self._left.end_validation()

    def on_epoch_end(self, epoch, logs=None):
        """Completes the row."""
        seconds = f"{time.monotonic() - self._begun_at:.0f}s"
        parts = [self._title, seconds, *numbers(self._config, logs)]
        if not self.model.stop_training:
            parts.append(str(self._left))
        row = _joined(parts)
        if self._progress.best_epoch == epoch + 1:
            row = painted(row, "green", sys.stdout)
        say(self._config, row)
        if epoch + 1 == self._config.epochs or self.model.stop_training:
            self.close()

    def on_train_end(self, logs=None):
        """Removes the bar."""
        self.close()

    def close(self) -> None:
        """Removes the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
