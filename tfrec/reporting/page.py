"""The report of a run: one page that needs nothing beside itself."""

from pathlib import Path

from tfrec.metrics.ranks import Ranks
from tfrec.reporting.accuracy import (
    by_length,
    by_popularity,
    by_time,
    rank_histogram,
    shown_items,
)
from tfrec.reporting.calibration import calibration
from tfrec.reporting.card import card
from tfrec.reporting.curves import curves
from tfrec.reporting.latents import latents
from tfrec.reporting.parts import Examples
from tfrec.reporting.people import ten_people
from tfrec.training.description import read_description
from tfrec.training.files import read_json
from tfrec.training.run import METRICS, RANKS, explained, load_run
from tfrec.web_page import heading, note, page


def report(
    run_dir: str | Path, data_dir: str | Path = "", seed: int = 0
) -> str:
    """Returns the report of a run as an HTML document.

    The ranks that a finished run keeps are used; a run without them is ranked
    again.

    Args:
        run_dir: The run directory.
        data_dir: Where its prepared dataset is now; where it was by default.
        seed: Of the users taken at random.

    Raises:
        InputError: If there is no such run, or something of it is damaged.
    """
    folder = Path(run_dir)
    run = load_run(folder, data_dir)
    numbers = None
    if (folder / METRICS).exists():
        numbers = read_json(folder / METRICS)
    parts = card(run, read_description(folder), numbers)
    parts += curves(folder)
    with explained(run.data):
        if not run.config.test and not (numbers and "metrics" in numbers):
            parts += [
                heading("Test"),
                note("The test split was not read (--notest)."),
            ]
        elif run.data.manifest.splits["test"]["records"]:
            stored = folder / RANKS
            ranks = Ranks.load(stored) if stored.exists() else run.rank("test")
            tested = Examples.of(run.data)
            tested.check(ranks, stored)
            for part in (
                rank_histogram,
                by_length,
                by_popularity,
                by_time,
                shown_items,
            ):
                parts += part(tested, {"this run": ranks})
            parts += calibration(run)
            parts += ten_people(run, ranks, seed)
        else:
            parts += [heading("Test"), note("The dataset has no test split.")]
        parts += latents(run)
    return page(f"{run.config.model} in {folder}", parts)
