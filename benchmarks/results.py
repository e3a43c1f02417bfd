"""Result files of finished runs, and the tables of docs/results.md from them.

    # Keep what a run measured, under the flagfile that made it.
    python -m benchmarks.results --add=runs/ease_ml_latest \\
        --config=configs/ease/ml_latest.flags

    # Write the tables anew.
    python -m benchmarks.results

A file in `results/` has the settings, the protocol, the checksum of the data,
the versions, the seed, the metrics with 95% intervals over users, the seconds
and the number of parameters of a run. A table stands in docs/results.md
between two comments that name it; a test fails where it differs from its
files.
"""

import json
import re
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from absl import app, flags

from tfrec.durations import duration
from tfrec.reproduction import acvae, vaser
from tfrec.reproduction.plan import Plan, Results
from tfrec.training.tables import estimated, title_of

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
PAGE = ROOT / "docs" / "results.md"
_ADD = flags.DEFINE_string("add", None, "Folder of a finished run to keep.")
_CONFIG = flags.DEFINE_string("config", None, "The flagfile that it was of.")

# Where a run was made, which nobody else has, and what bounds its memory.
LEFT_OUT = (
    *("raw_dir", "data_dir", "run_dir", "verbose", "members"),
    *("evaluation_block_items", "memory_limit"),
)
# What may follow the dataset in the name of a flagfile: another loss, a memory,
# another start, the settings of the paper, or those that a search found.
VARIANTS = (
    *("", "_softmax", "_memory", "_spectral", "_softmax_nearby"),
    *("_paper", "_printed", "_tuned", "_softmax_tuned"),
)
# By dataset: the metrics that its table shows, and the paper that has it, if
# one has.
TABLES: dict[str, tuple[tuple[str, ...], Plan | None]] = {
    "ml_latest": (("recall@10", "ndcg@10", "mrr@10"), acvae.PLAN),
    "ml_1m": (("recall@10", "ndcg@10", "mrr@10"), acvae.PLAN),
    "ml_1m_loo": (("recall@10", "ndcg@10", "mrr@10"), None),
    "yelp_s3rec": (("recall@10", "ndcg@10", "mrr@10"), acvae.PLAN),
    "yoochoose_1_64": (("recall@20", "mrr@20"), vaser.PLAN),
}


def main(argv: list[str]) -> None:
    del argv
    check_flags(_ADD.value, _CONFIG.value)
    if _ADD.value:
        path = add(Path(_ADD.value), _CONFIG.value)
        print(f"Written: {path.relative_to(ROOT)}")
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(with_tables(text), encoding="utf-8")


def check_flags(run_dir: str | None, config: str | None) -> None:
    """Raises `UsageError` if a run is given without its flagfile, or so."""
    if bool(run_dir) != bool(config):
        raise app.UsageError("`--add` and `--config` need each other.")


def add(run_dir: Path, config: str) -> Path:
    """Writes the result file of a run.

    Args:
        run_dir: A finished run.
        config: The flagfile, from the root of the repository.
    """
    content = {"config": config, **measured(run_dir)}
    place = Path(config).relative_to("configs").with_suffix("")
    return write(content, RESULTS / place)


def measured(run_dir: Path) -> dict[str, Any]:
    """Returns what a finished run measured, and the settings it was of."""
    from tfrec.metrics.statistics import interval
    from tfrec.training.comparison import read_runs

    (run,) = read_runs([run_dir])
    numbers = dict(run.numbers)
    numbers["intervals"] = {
        name: [round(end, 5) for end in interval(run.totals(name))]
        for name in numbers["metrics"]
    }
    return {**numbers, "settings": told(run.settings)}


def told(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the settings of a config.json that a result file tells."""
    return {
        part: {k: v for k, v in config[part].items() if k not in LEFT_OUT}
        for part in ("data", "training", "model")
    }


def write(content: dict[str, Any], folder: Path) -> Path:
    """Writes a result file, by its seed, and returns its path."""
    path = folder / f"seed_{content['seed']}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")
    return path


def read(dataset: str) -> dict[str, list[dict[str, Any]]]:
    """Returns the results on a dataset by the flagfile, the best last.

    Args:
        dataset: The name of the flagfiles.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for variant in VARIANTS:
        for path in sorted(RESULTS.glob(f"*/{dataset}{variant}/seed_*.json")):
            result = json.loads(path.read_text())
            found.setdefault(result["config"], []).append(result)
    best = TABLES[dataset][0][0]

    def mean(results: list[dict[str, Any]]) -> float:
        return statistics.mean(r["metrics"][best] for r in results)

    return dict(sorted(found.items(), key=lambda item: mean(item[1])))


def table(dataset: str) -> str:
    """Returns the table of a dataset in Markdown."""
    metrics, paper = TABLES[dataset]
    names = [title_of(name) for name in metrics]
    lines = [
        f"| model | published, {' / '.join(names)} | {' | '.join(names)} | "
        "seeds | time |",
        f"|---|---|{'---|' * len(names)}---|---|",
    ]
    for config, results in read(dataset).items():
        model = results[0]["model"]
        # What a paper prints is of the loss that it has.
        printed = "_softmax" not in config
        cells = [
            f"`{config}`",
            published(paper, dataset, model, metrics) if printed else "",
        ]
        cells += [estimate(results, name) for name in metrics]
        cells += seeds_and_time(results)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def published(
    paper: Plan | None, dataset: str, model: str, metrics: tuple[str, ...]
) -> str:
    """Returns what a paper prints for a model, or nothing."""
    if paper is None:
        return ""
    (part,) = (part for part in paper.parts if isinstance(part, Results))
    (found,) = (each for each in part.datasets if each.name == dataset)
    if model not in found.scores:
        return ""
    scores = dict(zip(part.metrics, found.scores[model], strict=True))
    digits = part.digits
    return " / ".join(f"{scores[m]:.{digits}f}".lstrip("0") for m in metrics)


def seeds_and_time(results: list[dict[str, Any]]) -> list[str]:
    """Returns the last two cells of a row.

    The time is that of the fastest seed: other programs made the rest slower.
    """
    return [
        ", ".join(str(r["seed"]) for r in results),
        duration(min(r["wall_seconds"] for r in results)),
    ]


def estimate(results: list[dict[str, Any]], metric: str) -> str:
    """Returns a mean over seeds, and the interval over users of the first."""
    return estimated(
        [result["metrics"][metric] for result in results],
        results[0]["intervals"][metric],
    )


def with_tables(text: str) -> str:
    """Returns the page with each table as its result files have it."""
    return filled(text, "results", table)


def filled(text: str, kind: str, table_of: Callable[[str], str]) -> str:
    """Writes tables between the comments that name them.

    Args:
        text: The page.
        kind: What the comments begin with.
        table_of: Gives the table of a name.
    """
    pattern = rf"(<!-- {kind}: (\S+) -->\n).*?(<!-- end -->)"

    def anew(found: re.Match[str]) -> str:
        return f"{found[1]}{table_of(found[2])}\n{found[3]}"

    return re.sub(pattern, anew, text, flags=re.DOTALL)


if __name__ == "__main__":
    app.run(main)
