"""Trains what a plan asks for, one process after the other; resumable.

Each training has a folder of its own with what `tfrec train` writes, its log,
and `grid.json`: the flags that it is of, there from its start. A training that
is finished and whose file says the same flags is not repeated. One that was
interrupted is given to `tfrec train` again, which resumes it.
"""

import contextlib
import dataclasses
import json
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tfrec.durations import duration
from tfrec.errors import InputError
from tfrec.flagfiles import Argument, expand
from tfrec.reproduction.plan import Job

LOG = "log.txt"
RECORD = "grid.json"
METRICS = "metrics.json"
# Of a log that ended badly.
_LAST_LINES = 12
TRAIN = (sys.executable, "-m", "tfrec.train")


@dataclasses.dataclass(frozen=True)
class Trial:
    """A job with one seed."""

    job: Job
    seed: int

    @property
    def title(self) -> str:
        """How it is called on the terminal."""
        return f"{self.job.name} seed {self.seed}"


@dataclasses.dataclass(frozen=True)
class Failure:
    """A training that ended badly, and the end of its log."""

    trial: Trial
    status: int
    log: Path

    def __str__(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace")
        last = "\n".join(
            f"  {line}" for line in lines.splitlines()[-_LAST_LINES:]
        )
        return f"{self.trial.title}, status {self.status}, {self.log}:\n{last}"


@dataclasses.dataclass(frozen=True)
class Grid:
    """Where trainings are, and what they are given.

    Attributes:
        folder: Of all runs.
        configs: Of flagfiles.
        raw_dirs: Folder of the raw log, by the dataset.
        changes: Flags that every training gets, without dashes.
        command: What trains.
    """

    folder: Path
    configs: Path
    raw_dirs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    changes: tuple[str, ...] = ()
    command: tuple[str, ...] = TRAIN

    def run_dir(self, trial: Trial) -> Path:
        """Returns the folder of a training."""
        return self.folder / trial.job.name / f"seed_{trial.seed}"

    def flags(self, trial: Trial) -> list[str]:
        """Returns what decides the numbers of a training, as flags."""
        return [
            *trial.job.changes,
            *(f"--{change}" for change in self.changes),
            f"--seed={trial.seed}",
        ]

    def command_of(self, trial: Trial) -> list[str]:
        """Returns the command of a training."""
        job = trial.job
        raw_dir = self.raw_dirs.get(job.dataset, f"FOLDER_OF_{job.dataset}")
        return [
            *self.command,
            f"--flagfile={self.configs / job.flagfile}",
            *self.flags(trial),
            f"--raw_dir={raw_dir}",
            f"--run_dir={self.run_dir(trial)}",
            "--verbose=line",
        ]

    def identity(self, trial: Trial) -> list[str]:
        """Returns every flag that a training is of, those of its file too."""
        path = self.configs / trial.job.flagfile
        arguments = expand([f"--flagfile={path}", *self.flags(trial)])
        return [argument.text for argument in arguments]

    def finished(self, trial: Trial) -> bool:
        """Returns whether a training is done, with the settings of today."""
        record = self._record(trial)
        done = (self.run_dir(trial) / METRICS).exists()
        return done and record.get("flags") == self.identity(trial)

    def runs(self, job: Job, seeds: Sequence[int]) -> list[Path]:
        """Returns the folders of the trainings of a job that are finished."""
        trials = [Trial(job, seed) for seed in job.seeds(seeds)]
        return [self.run_dir(t) for t in trials if self.finished(t)]

    def run(self, trials: Sequence[Trial]) -> list[Failure]:
        """Trains what is not finished; one that fails does not stop the rest.

        Returns:
            Those that failed.

        Raises:
            InputError: If a folder cannot be written.
            KeyboardInterrupt: After Ctrl-C or SIGTERM, which the training in
                progress gets too, and has written its checkpoint.
        """
        missing = [trial for trial in trials if not self.finished(trial)]
        print(
            f"{len(trials)} runs, {len(trials) - len(missing)} of them "
            "finished.",
            flush=True,
        )
        with _terminable():
            return self._run(missing)

    def _run(self, missing: Sequence[Trial]) -> list[Failure]:
        failures, took = [], {}
        for number, trial in enumerate(missing, 1):
            print(
                f"[{number}/{len(missing)}] {trial.title}", end="", flush=True
            )
            started = time.monotonic()
            status = self._train(trial)
            took[trial.job.name] = seconds = time.monotonic() - started
            # All that have ended, the failed ones too: each is one that does
            # not have to be waited for.
            guess = sum(took.values()) / len(took)
            left = sum(took.get(t.job.name, guess) for t in missing[number:])
            outcome = f"failed with status {status}" if status else "done"
            rest = f", about {duration(left)} left" if left else ""
            print(f": {outcome} in {duration(seconds)}{rest}", flush=True)
            if status:
                log = self.run_dir(trial) / LOG
                failures.append(Failure(trial, status, log))
        return failures

    def _record(self, trial: Trial) -> dict:
        path = self.run_dir(trial) / RECORD
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            # Not there, or cut: the training says itself that it is finished.
            return {}

    def _refusal(self, trial: Trial) -> str:
        """Returns why a folder cannot be trained in, "" if it can.

        `tfrec train` would not see each change: a finished run that shall have
        fewer epochs is finished.
        """
        folder, was = self.run_dir(trial), self._record(trial).get("flags")
        if was is None or not (folder / METRICS).exists():
            return ""
        was, now = _last(was), _last(self.identity(trial))
        if was == now:
            return ""
        gone = shlex.join(
            was[name] for name in was if was[name] != now.get(name)
        )
        come = shlex.join(
            now[name] for name in now if now[name] != was.get(name)
        )
        return (
            f"{folder} holds a finished run of other flags. Received: "
            f"{come or 'none'} for {gone or 'none'}. Delete the folder, or "
            "give another `--output_dir`."
        )

    def _train(self, trial: Trial) -> int:
        """Trains in a process of its own; returns its exit status."""
        folder, command = self.run_dir(trial), self.command_of(trial)
        record, metrics = folder / RECORD, folder / METRICS
        flags = json.dumps({"flags": self.identity(trial)}, indent=1) + "\n"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if refusal := self._refusal(trial):
                with open(folder / LOG, "a", encoding="utf-8") as log:
                    print(refusal, file=log)
                return 1
            # What is finished without it says itself whether it is of these.
            if not metrics.exists():
                record.write_text(flags)
            with open(folder / LOG, "a", encoding="utf-8") as log:
                print(f"$ {shlex.join(command)}", file=log, flush=True)
                status = _wait(command, log)
            if status == 0 and not metrics.exists():
                with open(folder / LOG, "a", encoding="utf-8") as log:
                    print(f"It left no {METRICS}.", file=log)
                return 1
            if status == 0:
                record.write_text(flags)
            elif not metrics.exists():
                record.unlink(missing_ok=True)
        except OSError as error:
            raise InputError(
                f"Cannot write {folder}: {error}. Give `--output_dir` a folder "
                "that can be written, on a disk with space left."
            ) from error
        return status


def _last(flags: Sequence[str]) -> dict[str, str]:
    """Returns the text of each flag that counts, the last, by its name."""
    return {Argument(flag).name: flag for flag in flags}


def _wait(command: Sequence[str], log) -> int:
    """Runs a command to its end; hands on what asks it to stop."""
    # A group of its own: it gets Ctrl-C once, from here.
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        return process.wait()
    except KeyboardInterrupt:
        # It writes a checkpoint first. Not SIGINT, which what a shell starts in
        # the background ignores.
        process.terminate()
        process.wait()
        raise


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Lets SIGTERM interrupt as Ctrl-C does, while the body runs.

    So does the end of the terminal (SIGHUP), unless `nohup` has it ignored: a
    training that went on alone would be in the way of the next grid.
    """

    def interrupt(number, frame):
        raise KeyboardInterrupt

    before = {
        number: signal.getsignal(number)
        for number in (signal.SIGTERM, signal.SIGHUP)
    }
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
