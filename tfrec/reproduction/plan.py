"""What a paper shows, and the trainings that show it again: declared, not run.

A plan is a list of parts, each a table or a figure of the paper. A part names
the jobs that it reads; a job is one setting, trained with each seed. Parts
share jobs, so that nothing is trained twice.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

# Which settings a flagfile holds, by the end of its name, and their title.
VARIANTS = {
    "published": ("_paper", "ours, as published"),
    "ours": ("", "ours"),
    "tuned": ("_tuned", "ours, tuned"),
}
# Counts and closed forms: a seed changes nothing, so one is enough.
UNSEEDED = (
    "pop",
    "markov",
    "transitions",
    "rules",
    "itemknn",
    "vsknn",
    "ease",
    "slist",
)


@dataclasses.dataclass(frozen=True)
class Job:
    """One setting to train.

    Attributes:
        name: Its folder below that of all runs.
        dataset: What it is trained on.
        flagfile: Its settings, below the folder of flagfiles.
        changes: Flags that come after those of the file.
    """

    name: str
    dataset: str
    flagfile: str
    changes: tuple[str, ...] = ()

    def seeds(self, seeds: Sequence[int]) -> Sequence[int]:
        """Returns the seeds of those given that make a difference."""
        unseeded = self.flagfile.partition("/")[0] in UNSEEDED
        return seeds[:1] if unseeded else seeds


class Addressed(NamedTuple):
    """A job, and what it is in the paper: part, dataset, model, variant."""

    address: tuple[str, ...]
    job: Job


@dataclasses.dataclass(frozen=True)
class Part:
    """A table or a figure.

    Attributes:
        name: Such as "table2".
        title: What it shows.
        paper: What the paper prints of it, and what it does not.
    """

    name: str
    title: str
    paper: str

    def jobs(self, configs: Path) -> Iterator[Addressed]:
        """Yields what must be trained for it.

        Args:
            configs: The folder of flagfiles.
        """
        del configs
        yield from ()


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A dataset of a paper's tables.

    Attributes:
        name: What flagfiles and `--raw_dirs` call it.
        title: What the paper calls it.
        statistics: What the paper's Table 1 prints, as it prints it; empty for
            a dataset that the paper does not have.
        scores: What its Table 2 prints, by model, in the order of the metrics.
        note: How our preparation differs.
    """

    name: str
    title: str
    statistics: tuple[str, ...] = ()
    scores: Mapping[str, tuple[float, ...]] = dataclasses.field(
        default_factory=dict
    )
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Row:
    """A model of a table of results.

    Attributes:
        model: Its name in tfrec.
        title: Its name in the paper.
        as_published: Whether ours are the settings of the model's paper, but
            for batches, epochs and schedule, so that one training is both.
        as_tuned: Datasets on which a search around ours found nothing better,
            so that one training is both.
    """

    model: str
    title: str
    as_published: bool = False
    as_tuned: tuple[str, ...] = ()

    def flagfile(self, dataset: str, variant: str) -> str:
        """Returns where the settings are, if there are any."""
        end, _ = VARIANTS[self._settings(dataset, variant)]
        return f"{self.model}/{dataset}{end}.flags"

    def job(self, dataset: str, variant: str) -> Job:
        """Returns the job of a cell."""
        name = f"{dataset}/{self.model}/{self._settings(dataset, variant)}"
        return Job(name, dataset, self.flagfile(dataset, variant))

    def _settings(self, dataset: str, variant: str) -> str:
        """Returns the variant whose settings these are."""
        ours = (variant == "published" and self.as_published) or (
            variant == "tuned" and dataset in self.as_tuned
        )
        return "ours" if ours else variant


@dataclasses.dataclass(frozen=True)
class Statistics(Part):
    """A table of datasets: read off the finished runs, trains nothing.

    Attributes:
        columns: Its columns.
        datasets: Its rows.
    """

    columns: tuple[str, ...] = ()
    datasets: tuple[Dataset, ...] = ()


@dataclasses.dataclass(frozen=True)
class Results(Part):
    """A table of models on datasets.

    Attributes:
        metrics: Its columns.
        datasets: Its blocks.
        rows: The models of each block; those that the paper has come first.
        digits: How many the paper prints of a number.
        chart: The metric that is drawn.
    """

    metrics: tuple[str, ...] = ()
    datasets: tuple[Dataset, ...] = ()
    rows: tuple[Row, ...] = ()
    digits: int = 3
    chart: str = ""

    def jobs(self, configs: Path) -> Iterator[Addressed]:
        """See base class: every cell that there is a flagfile for."""
        for dataset in self.datasets:
            for row in self.rows:
                for variant in self.variants(row, dataset.name, configs):
                    yield Addressed(
                        (self.name, dataset.name, row.model, variant),
                        row.job(dataset.name, variant),
                    )

    def variants(self, row: Row, dataset: str, configs: Path) -> list[str]:
        """Returns the variants of a cell that there is a flagfile for."""
        return [
            variant
            for variant in VARIANTS
            if (configs / row.flagfile(dataset, variant)).exists()
        ]


@dataclasses.dataclass(frozen=True)
class Point:
    """One setting of a study.

    Attributes:
        job: The training.
        series: The line that it is of, or the bar that it is.
        x: Where it stands on the line; None in a study of bars.
    """

    job: Job
    series: str
    x: float | None = None


@dataclasses.dataclass(frozen=True)
class Study(Part):
    """A figure of what one setting does, on one dataset.

    Attributes:
        dataset: Its name.
        points: The settings.
        x_label: The setting that is varied; "" for bars.
        metrics: Test metrics to show.
        epochs: Columns of epochs.csv to show by epoch.
        last: Columns whose last value is shown.
    """

    dataset: str = ""
    points: tuple[Point, ...] = ()
    x_label: str = ""
    metrics: tuple[str, ...] = ()
    epochs: tuple[str, ...] = ()
    last: tuple[str, ...] = ()

    def jobs(self, configs: Path) -> Iterator[Addressed]:
        """See base class."""
        for point in self.points:
            # The last of "ml_latest/ablation/no_avb".
            label = point.job.name.rpartition("/")[2]
            yield Addressed((self.name, self.dataset, label), point.job)


@dataclasses.dataclass(frozen=True)
class Drawn(Part):
    """A figure with a drawing of its own; see `drawings.py`.

    Attributes:
        drawing: Its name there.
        rows: The models that it shows, each trained as in the table.
        dataset: What they are trained on.
    """

    drawing: str = ""
    rows: tuple[Row, ...] = ()
    dataset: str = ""

    def jobs(self, configs: Path) -> Iterator[Addressed]:
        """See base class: the runs that are ours, not tuned."""
        for row in self.rows:
            job = row.job(self.dataset, "ours")
            yield Addressed((self.name, self.dataset, row.model), job)


@dataclasses.dataclass(frozen=True)
class Plan:
    """All of a paper that is shown again.

    Attributes:
        paper: Its name, for the title.
        source: Where it is to be found.
        parts: Tables and figures, in the order of the report.
        datasets: What they are on.
        notes: What holds for all of it.
    """

    paper: str
    source: str
    parts: tuple[Part, ...]
    datasets: tuple[Dataset, ...]
    notes: tuple[str, ...] = ()


def printed(text: str, percent: bool = False) -> dict[str, tuple[float, ...]]:
    """Reads a table of a paper: a model and its numbers in each line.

    Args:
        text: The table.
        percent: Whether it is in percent.
    """
    by = 100 if percent else 1
    lines = (line.split() for line in text.strip().splitlines())
    return {
        model: tuple(round(float(n) / by, 6) for n in numbers)
        for model, *numbers in lines
    }
