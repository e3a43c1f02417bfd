"""Result files of the papers' studies, and their tables in the documentation.

    # Keep what the finished runs of `tfrec reproduce` measured.
    python -m benchmarks.studies --of=acvae \\
        --output_dir=runs/reproduce_acvae

    # Write the tables anew.
    python -m benchmarks.studies

A study varies the settings of one flagfile: a figure of `tfrec reproduce`. A
file in `results/studies/` is what `benchmarks.results` keeps of a run, with
the flags that come after those of the flagfile and the last values of
epochs.csv, such as `corr`; of a figure that is drawn from more than metrics,
with what it is drawn from. A table stands in docs/results.md or
docs/studies.md between two comments that name it, such as
`acvae/figure4/ml_latest`; a test fails where it differs from its files.
"""

import json
import statistics
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from absl import app, flags

from benchmarks import results
from tfrec.reproduction import acvae, drawings, vaser
from tfrec.reproduction.grid import Grid, Trial
from tfrec.reproduction.plan import Drawn, Job, Study
from tfrec.training.tables import title_of

FOLDER = results.RESULTS / "studies"
PAGES = (results.PAGE, results.ROOT / "docs" / "studies.md")
PLANS = {"acvae": acvae.PLAN, "vaser": vaser.PLAN}
_OF = flags.DEFINE_enum("of", None, list(PLANS), "The paper.")
_OUTPUT_DIR = flags.DEFINE_string(
    "output_dir", None, "That of `tfrec reproduce`, whose runs to keep."
)
# Of epochs.csv: what the metrics of the best epoch say, and the speed.
_LEFT_OUT = ("val_", "epoch", "step", "tokens_per_second")


def main(argv: list[str]) -> None:
    del argv
    if bool(_OUTPUT_DIR.value) != bool(_OF.value):
        raise app.UsageError("`--of` and `--output_dir` need each other.")
    if _OUTPUT_DIR.value:
        folder = Path(_OUTPUT_DIR.value) / "runs"
        grid = Grid(folder, results.ROOT / "configs")
        paths = list(add(_OF.value, grid))
        if not paths:
            raise app.UsageError(
                f"{folder} has no finished run of a study of {_OF.value} with "
                "the flags of today."
            )
        for path in paths:
            print(f"Written: {path.relative_to(results.ROOT)}")
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        page.write_text(with_tables(text), encoding="utf-8")


def studies(paper: str) -> dict[str, Study | Drawn]:
    """Returns the studies of a paper by part and dataset."""
    return {
        f"{part.name}/{part.dataset}": part
        for part in PLANS[paper].parts
        if isinstance(part, (Study, Drawn)) and part.dataset
    }


def jobs(part: Study | Drawn) -> list[Job]:
    """Returns the trainings of a study, in the order of its table."""
    return [addressed.job for addressed in part.jobs(results.ROOT / "configs")]


def add(paper: str, grid: Grid) -> Iterator[Path]:
    """Writes the result files of the finished runs of a reproduction.

    Args:
        paper: Whose studies.
        grid: The runs.
    """
    from tfrec.reproduction.measured import last_values

    parts = studies(paper).values()
    for job in dict.fromkeys(job for part in parts for job in jobs(part)):
        drawn = {
            part.drawing
            for part in parts
            if isinstance(part, Drawn) and job in jobs(part)
        }
        folders = grid.run_dir(Trial(job, 0)).parent.glob("seed_*")
        seeds = sorted(int(f.name.removeprefix("seed_")) for f in folders)
        trials = (Trial(job, seed) for seed in seeds)
        for trial in filter(grid.finished, trials):
            run_dir = grid.run_dir(trial)
            content = {
                "config": f"configs/{job.flagfile}",
                "changes": list(job.changes),
                **results.measured(run_dir),
                "last": {
                    name: value
                    for name, value in last_values(run_dir).items()
                    if not name.startswith(_LEFT_OUT)
                },
                **{name: _DRAWN[name](run_dir) for name in sorted(drawn)},
            }
            yield results.write(content, FOLDER / job.name)


def _encodings(run_dir: Path) -> dict[str, Any]:
    """Returns what is told of the encodings of a run."""
    from tfrec.reproduction.encodings import encodings, spread

    points = encodings(run_dir)
    sessions, dimensions = points.shape
    return {
        "sessions": sessions,
        "dimensions": dimensions,
        "filled": spread(points),
    }


def _lengths(run_dir: Path) -> dict[str, Any]:
    """Returns recall and MRR of a run by length."""
    from tfrec.training.comparison import read_runs

    (run,) = read_runs([run_dir])
    return drawings.lengths(run.ranks)


_DRAWN = {"encodings": _encodings, "lengths": _lengths}


def read(job: Job) -> list[dict[str, Any]]:
    """Returns the results of a job, by seed."""
    paths = sorted((FOLDER / job.name).glob("seed_*.json"))
    return [json.loads(path.read_text()) for path in paths]


def table(name: str) -> str:
    """Returns the table of a study in Markdown, of what has been run.

    Args:
        name: Paper, part and dataset, such as "acvae/figure4/ml_latest".
    """
    paper, _, study = name.partition("/")
    part = studies(paper)[study]
    if isinstance(part, Drawn):
        return _DRAWN_TABLES[part.drawing](part)
    xs = [part.x_label] if part.x_label else []
    head = ["", *xs, *map(title_of, part.metrics), *part.last, "seeds", "time"]
    rows = []
    for point in part.points:
        found = read(point.job)
        if not found:
            continue
        cells = [point.series.replace("|", r"\|")]
        cells += [f"{point.x:g}"] if part.x_label else []
        cells += [results.estimate(found, metric) for metric in part.metrics]
        cells += [_mean(found, column) for column in part.last]
        rows.append(cells + results.seeds_and_time(found))
    return _markdown(head, rows)


def _markdown(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])


def _drawn(part: Drawn) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the models of a drawing that were run, and their first result."""
    for row, job in zip(part.rows, jobs(part), strict=True):
        for result in read(job)[:1]:
            yield row.title, result


def _encodings_table(part: Drawn) -> str:
    rows = []
    for title, result in _drawn(part):
        found = result["encodings"]
        counts = [f"{found[name]:,}" for name in ("sessions", "dimensions")]
        rows.append([title, *counts, f"{found['filled']:.1f}"])
    head = ["", "sessions", "dimensions", "dimensions that they fill"]
    return _markdown(head, rows)


def _lengths_table(part: Drawn) -> str:
    found = dict(_drawn(part))
    tables = []
    for title in drawings.LENGTHS:
        each = {name: r["lengths"][title] for name, r in found.items()}
        tables.append(_markdown(*drawings.length_table(title, each)))
    return "\n\n".join(tables)


_DRAWN_TABLES = {"encodings": _encodings_table, "lengths": _lengths_table}


def _mean(found: list[dict[str, Any]], column: str) -> str:
    values = [each["last"][column] for each in found]
    return f"{statistics.mean(values):.4g}"


def with_tables(text: str) -> str:
    """Returns a page with each study as its result files have it."""
    return results.filled(text, "study", table)


if __name__ == "__main__":
    app.run(main)
