"""Result files of what `benchmarks.likelihood` measured, and their tables.

A study is a folder of `results/likelihood/`, a row of its table in
docs/studies.md a folder there, and each file a seed; rows and seeds have the
names of the runs' folders, `runs/<study>/<row>/seed_<seed>`.
"""

import json
import re
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import results
from tfrec.durations import duration
from tfrec.errors import InputError

FOLDER = results.RESULTS / "likelihood"
PAGE = results.ROOT / "docs" / "studies.md"
# How the runs of a table are all measured; the first is what rows are beside.
_ALIKE = ("split", "window", "draws", "draws_seed", "first")
COLUMNS = ("score", "drawn", "bound", "kl", "weighted")


def place(run_dir: Path) -> Path:
    """Returns the folder of a run's result file.

    Args:
        run_dir: `.../<study>/<row>/seed_<seed>`.

    Raises:
        InputError: If its name is another.
    """
    *_, study, row, seed = ("", "", *run_dir.absolute().parts)
    if not re.fullmatch(r"seed_\d+", seed):
        raise InputError(
            "`--keep` needs `--run_dirs` to be <study>/<row>/seed_<seed>. "
            f"Received: {run_dir}."
        )
    return FOLDER / study / row


def keep(run_dir: Path, measured: Mapping[str, Any]) -> Path:
    """Writes the result file of a run.

    Args:
        run_dir: `.../<study>/<row>/seed_<seed>`.
        measured: How it was measured, and what was found.

    Returns:
        The file.
    """
    numbers, config = (
        json.loads((run_dir / name).read_text(encoding="utf-8"))
        for name in ("metrics.json", "config.json")
    )
    content = {
        **numbers,
        "likelihood": measured,
        "settings": results.told(config),
    }
    return results.write(content, place(run_dir))


def read(study: str) -> dict[str, list[dict[str, Any]]]:
    """Returns the results of a study by row, the worst bound first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted((FOLDER / study).glob("*/seed_*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        found.setdefault(path.parent.name, []).append(result)

    def worst(item: tuple[str, list[dict[str, Any]]]) -> float:
        nats = [each["likelihood"]["nats"] for each in item[1]]
        return -statistics.mean(n.get("bound", n["score"]) for n in nats)

    return dict(sorted(found.items(), key=worst))


def table(study: str) -> str:
    """Returns the table of a study in Markdown.

    Raises:
        InputError: If its runs were not measured alike.
    """
    found = read(study)
    alike = {
        tuple(r["likelihood"][name] for name in _ALIKE)
        for each in found.values()
        for r in each
    }
    if len(alike) != 1:
        raise InputError(
            f"All runs of {FOLDER / study} must be measured with the same "
            f"{', '.join(_ALIKE)}. Received: {sorted(alike)}."
        )
    first = next(iter(alike))[-1]
    titles = [*COLUMNS, f"bound less that of `{first}`", "NDCG@10", "seeds"]
    lines = [
        f"| | {' | '.join(titles)} | time |",
        "|" + "---|" * (len(titles) + 2),
    ]
    for row, each in found.items():
        nats = [r["likelihood"]["nats"] for r in each]
        cells = [
            _mean([n[column] for n in nats]) if column in nats[0] else ""
            for column in COLUMNS
        ]
        apart = (r["likelihood"]["apart"] for r in each)
        cells += [
            ""
            if row == first
            else ", ".join(
                f"{a['mean']:+.2f} ± {a['margin']:.2f}" for a in apart
            ),
            _mean([r["validation"]["ndcg@10"] for r in each], 4),
            ", ".join(str(r["seed"]) for r in each),
            duration(statistics.mean(r["wall_seconds"] for r in each)),
        ]
        lines.append(f"| `{row}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _mean(values: list[float], digits: int = 3) -> str:
    """Returns the mean over seeds, and their deviation."""
    numbers = [statistics.mean(values)]
    if len(values) > 1:
        numbers.append(statistics.stdev(values))
    return " ± ".join(f"{x:.{digits}f}".removeprefix("0") for x in numbers)


def with_tables(text: str) -> str:
    """Returns a page with the tables of the result files."""
    return results.filled(text, "likelihood", table)


def write_tables() -> None:
    """Writes the tables of docs/studies.md anew."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(with_tables(text), encoding="utf-8")
