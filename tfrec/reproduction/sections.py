"""The parts of a report, from what the runs measured."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from tfrec.charts import Series, bar_chart, line_chart
from tfrec.durations import duration
from tfrec.reproduction.measured import Estimate, Measurements
from tfrec.reproduction.plan import (
    VARIANTS,
    Dataset,
    Job,
    Part,
    Plan,
    Results,
    Statistics,
    Study,
)
from tfrec.svg import number
from tfrec.table_text import Table
from tfrec.training.tables import title_of

NOT_RUN = "not run"


class Picture(str):
    """A figure as HTML."""


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes:
        title: Its heading.
        blocks: Paragraphs, tables and pictures.
    """

    title: str
    blocks: Sequence[str | Picture | Table]


@dataclasses.dataclass(frozen=True)
class Reader:
    """Makes sections of the parts of a plan.

    Attributes:
        plan: The plan.
        configs: The folder of flagfiles.
        measured: What the runs measured.
        chosen: Names of the jobs that were asked for. Of a table that has
            some, the datasets without one are left out.
    """

    plan: Plan
    configs: Path
    measured: Measurements
    chosen: frozenset[str]

    def jobs(self, dataset: str) -> list[Job]:
        """Returns all jobs of the plan on a dataset."""
        return [
            addressed.job
            for part in self.plan.parts
            for addressed in part.jobs(self.configs)
            if addressed.job.dataset == dataset
        ]

    def section(self, part: Part) -> Section:
        """Returns the section of a part."""
        makers: dict[type[Part], Callable] = {
            Statistics: self._statistics,
            Results: self._results,
            Study: self._study,
        }
        return Section(part.title, [part.paper, *makers[type(part)](part)])

    def _statistics(self, part: Statistics) -> list[Table]:
        rows = []
        for dataset in part.datasets:
            if dataset.statistics:
                rows.append(
                    [f"{dataset.title}, the paper", *dataset.statistics]
                )
            rows += self._counts(dataset, len(part.columns))
        notes = [f"{d.title}: {d.note}" for d in part.datasets if d.note]
        caption = "As the paper prints them, and as they were prepared."
        return [Table(caption, ["", *part.columns], rows, notes)]

    def _counts(self, dataset: Dataset, width: int) -> list[list[str]]:
        """Returns the rows of a dataset as it was prepared."""
        manifest = self.measured.manifest(self.jobs(dataset.name))
        if manifest is None:
            return [[f"{dataset.title}, ours", *[NOT_RUN] * width]]
        last = manifest.counts[-1]
        if manifest.settings["protocol"] == "next_click":
            prefixes = {
                name: split["tokens"] - split["records"]
                for name, split in manifest.splits.items()
            }
            clicks, sessions = last["interactions"], last["sequences"]
            cells = [
                f"{clicks:,}",
                f"{prefixes['train'] + prefixes['validation']:,}",
                f"{prefixes['test']:,}",
                f"{last['items']:,}",
                f"{clicks / sessions:.2f}",
            ]
            return [[f"{dataset.title}, ours", *cells]]
        rows = []
        for step in manifest.counts:
            records, users = step["interactions"], step["sequences"]
            density = records / (users * step["items"])
            cells = [f"{n:,}" for n in (records, users, step["items"])]
            cells += [f"{records / users:.1f}", f"{1 - density:.1%}"]
            rows.append([f"{dataset.title}, ours: {step['step']}", *cells])
        return rows

    def _results(self, part: Results) -> list[str | Picture | Table]:
        blocks = []
        for dataset in part.datasets:
            jobs = {
                addressed.job.name
                for addressed in part.jobs(self.configs)
                if addressed.job.dataset == dataset.name
            }
            if jobs & self.chosen or (dataset.scores and not self.chosen):
                blocks += self._block(part, dataset)
        return blocks

    def _block(self, part: Results, dataset: Dataset) -> list[Picture | Table]:
        """Returns the table and the chart of one dataset."""
        main = part.chart
        rows, protocols, missing = [], set(), {v: [] for v in VARIANTS}
        papers = Series("the paper", [], [])
        series = {v: Series(t, [], [], []) for v, (_, t) in VARIANTS.items()}
        for row in part.rows:
            scores = dataset.scores.get(row.model)
            if scores:
                cells = [
                    f"{score:.{part.digits}f}".removeprefix("0")
                    for score in scores
                ]
                rows.append([row.title, "the paper", *cells])
                papers.xs.append(row.title)
                papers.ys.append(scores[part.metrics.index(main)])
            present = part.variants(row, dataset.name, self.configs)
            for variant, (_, title) in VARIANTS.items():
                if variant not in present:
                    missing[variant].append(row.title)
                    continue
                job = row.job(dataset.name, variant)
                found = [self.measured.estimate(job, m) for m in part.metrics]
                cells = [str(cell or NOT_RUN) for cell in found]
                rows.append([row.title, title, *cells])
                protocols |= {
                    run.numbers["protocol"] for run in self.measured.runs(job)
                }
                estimate = found[part.metrics.index(main)]
                if estimate:
                    series[variant].xs.append(row.title)
                    series[variant].ys.append(estimate.mean)
                    series[variant].intervals.append(_ends(estimate))
        caption = f"{dataset.title}. {'; '.join(sorted(protocols)) or NOT_RUN}"
        notes = [dataset.note] if dataset.note else []
        notes += [
            f"No settings in {self.configs}, {VARIANTS[variant][1]}: "
            f"{', '.join(titles)}."
            for variant, titles in missing.items()
            if titles
        ]
        head = ["", "", *map(title_of, part.metrics)]
        shown = [s for s in (papers, *series.values()) if s.xs]
        chart = bar_chart(
            f"{dataset.title}: {title_of(main)}", shown, title_of(main)
        )
        return [Table(caption, head, rows, notes), Picture(chart)]

    def _study(self, part: Study) -> list[str | Picture | Table]:
        rows, charts = [], []
        names = [*map(title_of, part.metrics), *part.last]
        for point in part.points:
            found = [self.measured.estimate(point.job, m) for m in part.metrics]
            cells = [str(cell or NOT_RUN) for cell in found]
            for column in part.last:
                value = self.measured.last(point.job, column)
                cells.append(NOT_RUN if value is None else number(value))
            x = [] if point.x is None else [f"{point.x:g}"]
            flags = " ".join(point.job.changes)
            rows.append([point.series, *x, *cells, flags])
        head = ["", *([part.x_label] if part.x_label else []), *names, "flags"]
        notes = []
        if part.points:
            notes.append(f"All else is {part.points[0].job.flagfile}.")
        for metric in part.metrics:
            charts.append(self._chart(part, metric))
        for column in part.epochs:
            lines = [
                Series(p.series, *self.measured.by_epoch(p.job, column))
                for p in part.points
            ]
            title = f"{part.title}: {title_of(column)} by epoch"
            charts.append(line_chart(title, lines, "epoch", title_of(column)))
        table = Table(part.title, head, rows, notes)
        return [table, *map(Picture, charts)]

    def _chart(self, part: Study, metric: str) -> str:
        """Returns the chart of a test metric: lines, or bars without an x."""
        found: dict[str, Series] = {}
        for point in part.points:
            estimate = self.measured.estimate(point.job, metric)
            if estimate:
                series = point.series if part.x_label else title_of(metric)
                x = point.x if part.x_label else point.series
                each = found.setdefault(series, Series(series, [], [], []))
                each.xs.append(x)
                each.ys.append(estimate.mean)
                each.intervals.append(_ends(estimate))
        title, name = f"{part.title}: {title_of(metric)}", title_of(metric)
        if part.x_label:
            return line_chart(title, list(found.values()), part.x_label, name)
        return bar_chart(title, list(found.values()), name)

    def runs(self, jobs: Sequence[Job]) -> Section:
        """Returns the section of what was trained, and how long it took."""
        rows = []
        for job in jobs:
            runs = self.measured.runs(job)
            numbers = [run.numbers for run in runs]
            time = parameters = NOT_RUN
            if numbers:
                seconds = sum(n["wall_seconds"] for n in numbers) / len(numbers)
                time = duration(seconds)
                parameters = f"{numbers[0]['parameters']:,}"
            seeds = ", ".join(str(n["seed"]) for n in numbers) or NOT_RUN
            rows.append([job.name, job.flagfile, seeds, time, parameters])
        head = ["run", "flagfile", "seeds", "time, mean", "parameters"]
        return Section("Runs", [Table("What was trained.", head, rows)])


def _ends(estimate: Estimate) -> tuple[float, float]:
    return estimate.low, estimate.high
