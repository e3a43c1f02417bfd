"""What the finished runs of a grid measured, with intervals."""

import csv
import functools
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tfrec.data.manifest import Manifest
from tfrec.metrics.statistics import Totals, interval
from tfrec.reproduction.grid import Grid
from tfrec.reproduction.plan import Job
from tfrec.training.comparison import Measured, read_runs
from tfrec.training.run import EPOCHS
from tfrec.training.tables import estimated


class Estimate(NamedTuple):
    """A metric of a job.

    Attributes:
        values: Its mean over the test, for each seed.
        low: Low end of its 95% interval over users, of the mean over seeds.
        high: High end.
    """

    values: list[float]
    low: float
    high: float

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return statistics.mean(self.values)

    def __str__(self) -> str:
        return estimated(self.values, (self.low, self.high))


def read_epochs(folder: Path) -> list[dict[str, str]]:
    """Returns the rows of the epochs.csv of a run."""
    with open(folder / EPOCHS, encoding="utf-8") as file:
        return list(csv.DictReader(file))


def last_values(folder: Path) -> dict[str, float]:
    """Returns the last value of each column of the epochs.csv of a run."""
    return {
        name: float(value)
        for row in read_epochs(folder)
        for name, value in row.items()
        if value
    }


class Measurements:
    """Reads runs of a grid; what is not finished is not there.

    Args:
        grid: The grid.
        seeds: The seeds of each job.
    """

    def __init__(self, grid: Grid, seeds: Sequence[int]):
        self._grid = grid
        self._seeds = seeds
        self.runs = functools.cache(self._read)

    def _read(self, job: Job) -> list[Measured]:
        """Returns the finished runs of a job; read once."""
        folders = self._grid.runs(job, self._seeds)
        return read_runs(folders) if folders else []

    def estimate(self, job: Job, metric: str) -> Estimate | None:
        """Returns a test metric; None if no run is finished."""
        runs = self.runs(job)
        if not runs:
            return None
        totals = [run.totals(metric) for run in runs]
        # All were tested on the same users, in the same order.
        mean = Totals(np.mean([t.sums for t in totals], 0), totals[0].counts)
        return Estimate([t.mean for t in totals], *interval(mean))

    def by_epoch(
        self, job: Job, column: str
    ) -> tuple[list[int], list[float | None]]:
        """Returns epochs, and the mean of a column of epochs.csv over seeds.

        An epoch in which a seed has no value, because it had stopped before or
        was not validated, is left out: a mean over others would be a jump.
        """
        found: dict[int, list[float]] = {}
        runs = self.runs(job)
        for run in runs:
            for row in read_epochs(run.folder):
                if row.get(column):
                    value = float(row[column])
                    found.setdefault(int(row["epoch"]), []).append(value)
        epochs = [e for e in sorted(found) if len(found[e]) == len(runs)]
        return epochs, [statistics.mean(found[epoch]) for epoch in epochs]

    def last(self, job: Job, column: str) -> float | None:
        """Returns the last value of a column, the mean over seeds.

        Returns:
            None if no run is finished, or one of them has no such value.
        """
        ends = [last_values(run.folder) for run in self.runs(job)]
        if not ends or any(column not in end for end in ends):
            return None
        return statistics.mean(end[column] for end in ends)

    def manifest(self, jobs: Iterable[Job]) -> Manifest | None:
        """Returns that of the data of the first finished run, if it is there.

        Args:
            jobs: On one dataset.
        """
        for job in jobs:
            for run in self.runs(job):
                if run.data_dir.exists():
                    return Manifest.load(run.data_dir)
        return None
