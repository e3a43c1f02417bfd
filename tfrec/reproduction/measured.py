"""What the finished runs of a grid measured, with intervals."""

import csv
import functools
import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from tfrec.data.manifest import Manifest
from tfrec.metrics.statistics import Totals, interval
from tfrec.reproduction.grid import Grid
from tfrec.reproduction.plan import Job
from tfrec.training.comparison import Measured, read_runs
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

        An epoch in which no seed has a value, because it was not validated,
        is left out.
        """
        found: dict[int, list[float]] = {}
        for run in self.runs(job):
            with open(run.folder / "epochs.csv", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    if row.get(column):
                        value = float(row[column])
                        found.setdefault(int(row["epoch"]), []).append(value)
        epochs = sorted(found)
        return epochs, [statistics.mean(found[epoch]) for epoch in epochs]

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
