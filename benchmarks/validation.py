"""Result files of runs on the validation split, and the tables of them.

    # Keep what a run measured: its flagfile, and what was given beside it.
    python -m benchmarks.validation --add=runs/gru_spectral \\
        --config=configs/gru4rec/ml_latest_softmax.flags -- \\
        --item_start=spectral --fit_on=train --notest

    # Write the tables anew.
    python -m benchmarks.validation

Settings are chosen by such runs, so the test split may not be what is shown.
A file in `results/validation/` has the flags that were given beside those of
the flagfile, the metric that the best epoch has and that of the last, which no
choice of an epoch flatters, and what `benchmarks.results` keeps of any run. A
table stands in docs/results.md between two comments that name its dataset; a
test fails where it differs from its files.
"""

import json
import statistics
from pathlib import Path
from typing import Any

from absl import app, flags

from benchmarks import results
from tfrec.errors import InputError
from tfrec.training.tables import title_of

FOLDER = results.RESULTS / "validation"
# What all of them have: the split on which they are judged.
_SPLIT = ("--fit_on=train", "--notest")
# Of a run that has read the test split too.
_OF_THE_TEST = ("split", "protocol", "examples", "metrics")


def main(argv: list[str]) -> None:
    # The flags are those of `benchmarks.results`.
    run_dir, config = flags.FLAGS.add, flags.FLAGS.config
    results.check_flags(run_dir, config)
    if run_dir:
        path = add(Path(run_dir), config, argv[1:])
        print(f"Written: {path.relative_to(results.ROOT)}")
    text = results.PAGE.read_text(encoding="utf-8")
    results.PAGE.write_text(with_tables(text), encoding="utf-8")


def add(run_dir: Path, config: str, changes: list[str]) -> Path:
    """Writes the result file of a run.

    Args:
        run_dir: A finished run.
        config: The flagfile, from the root of the repository.
        changes: Flags that came after those of the flagfile.
    """
    from tfrec.reproduction.measured import last_values
    from tfrec.training.description import read_description
    from tfrec.training.files import read_json
    from tfrec.training.run import METRICS

    numbers = read_json(run_dir / METRICS)
    ((metric, _),) = numbers["validation"].items()
    last = last_values(run_dir)
    if f"val_{metric}" not in last:
        raise InputError(
            f"`--add` must be a run with --fit_on=train. Received: {run_dir}, "
            f"without a validation {metric}."
        )
    content = {
        "config": config,
        "changes": changes,
        **{k: v for k, v in numbers.items() if k not in _OF_THE_TEST},
        "last": {metric: last[f"val_{metric}"]},
        "settings": results.told(read_description(run_dir)),
    }
    place = Path(config).relative_to("configs").with_suffix("")
    shown = [change.lstrip("-") for change in changes if change not in _SPLIT]
    # One folder, which a path among the changes must not divide.
    name = ",".join(shown).replace("/", "_") or "as_given"
    return results.write(content, FOLDER / place / name)


def table(dataset: str) -> str:
    """Returns the table of a dataset in Markdown, the best last.

    Args:
        dataset: The name of the flagfiles, one of `results.TABLES`.
    """
    runs: dict[Path, list[dict[str, Any]]] = {}
    for variant in results.VARIANTS:
        found = FOLDER.glob(f"*/{dataset}{variant}/*/seed_*.json")
        for path in sorted(found):
            result = json.loads(path.read_text())
            runs.setdefault(path.parent, []).append(result)
    rows = sorted(runs.values(), key=lambda each: _mean(each, "validation"))
    (metric,) = {name for row in rows for name in row[0]["validation"]}
    lines = [
        f"| flagfile | with | {title_of(metric)} | last epoch | best epoch | "
        "seeds | time |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        changes = [c for c in row[0]["changes"] if c not in _SPLIT]
        cells = [
            f"`{row[0]['config']}`",
            " ".join(f"`{change}`" for change in changes),
            _number(_mean(row, "validation")),
            _number(_mean(row, "last")),
            ", ".join(f"{r['best_epoch']} of {r['epochs']}" for r in row),
            *results.seeds_and_time(row),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _mean(row: list[dict[str, Any]], part: str) -> float:
    return statistics.mean(v for each in row for v in each[part].values())


def _number(value: float) -> str:
    return f"{value:.4f}".lstrip("0")


def with_tables(text: str) -> str:
    """Returns the page with each table as its result files have it."""
    return results.filled(text, "validation", table)


if __name__ == "__main__":
    app.run(main)
