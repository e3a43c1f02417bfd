"""Finished cells as result files, and their tables in docs/results.md."""

import json

from benchmarks import results
from benchmarks.peers import table as tables
from benchmarks.peers.cells import LIBRARIES, Cell
from benchmarks.peers.models import PAIRS

FOLDER = results.RESULTS / "peers"


def keep(answers: tables.Answers) -> None:
    """Writes finished cells as result files, and the tables anew.

    Args:
        answers: What they measured, checked.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    for cell, answer in answers.items():
        # On one line: most of it is ranks.
        text = json.dumps(answer, separators=(",", ":"))
        path = FOLDER / f"{cell.name}.json"
        path.write_text(text + "\n", encoding="utf-8")
    text = results.PAGE.read_text(encoding="utf-8")
    results.PAGE.write_text(with_tables(text), encoding="utf-8")


def read() -> tables.Answers:
    """Returns what the result files have, in the order of the models."""
    paths = {path.stem: path for path in FOLDER.glob("*.json")}
    seeds = sorted({int(name.rpartition("-")[2]) for name in paths})
    cells = [
        Cell(library, model, seed)
        for model in PAIRS
        for seed in seeds
        for library in LIBRARIES
    ]
    return {
        cell: json.loads(paths[cell.name].read_text(encoding="utf-8"))
        for cell in cells
        if cell.name in paths
    }


def table(name: str) -> str:
    """Returns a table in Markdown: "scores" or "differences"."""
    if name == "scores":
        return tables.scores(read(), "").render("markdown").strip()
    return tables.differences(read()).render("markdown").strip()


def with_tables(text: str) -> str:
    """Returns a page with the tables of the result files."""
    return results.filled(text, "peers", table)
