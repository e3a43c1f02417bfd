"""Runs beside each other as a page: the table, and pictures of it."""

import itertools
from collections.abc import Sequence
from pathlib import Path

from tfrec.charts import Series, bar_chart
from tfrec.data import PreparedDataset
from tfrec.metrics.ranking import metric_of
from tfrec.metrics.ranks import SHOWN
from tfrec.metrics.statistics import interval
from tfrec.reporting.accuracy import (
    by_length,
    by_popularity,
    by_time,
    rank_histogram,
    shown_items,
)
from tfrec.reporting.parts import Examples
from tfrec.table_text import Table
from tfrec.training.comparison import (
    Measured,
    best_first,
    beyond_accuracy,
)
from tfrec.training.run import RANKS
from tfrec.training.tables import title_of
from tfrec.web_page import heading, page


def comparison(
    runs: Sequence[Measured],
    table: Table,
    metrics: Sequence[str],
    by: str,
    seed: int = 0,
) -> str:
    """Returns the comparison of runs as an HTML document.

    Args:
        runs: What `read_runs` returned.
        table: What `compare` returned.
        metrics: Names of the metrics to show, such as "ndcg@10".
        by: The one that orders the runs, and that is shown by group.
        seed: Of the bootstrap.

    Raises:
        InputError: If the dataset is not there, or ranks are not of its test.
    """
    runs = best_first(runs, by)
    tested = Examples.of(PreparedDataset.open(runs[0].data_dir))
    for run in runs:
        tested.check(run.ranks, run.folder / RANKS)
    names = names_of([run.folder.absolute() for run in runs])
    ranked = {name: run.ranks for name, run in zip(names, runs, strict=True)}
    shown = [metric_of(by)]
    return page(
        "Runs compared",
        [
            table.fragment(),
            *_intervals(runs, names, metrics, seed),
            *rank_histogram(tested, ranked),
            *by_length(tested, ranked, shown),
            *by_popularity(tested, ranked),
            *by_time(tested, ranked, shown),
            *_beyond(runs, names, tested),
            *shown_items(tested, ranked),
        ],
    )


def names_of(folders: Sequence[Path]) -> list[str]:
    """Returns the ends of paths that tell them apart, as short as they can be.

    The same folder twice has one name.
    """
    for length in itertools.count(1):
        names = ["/".join(folder.parts[-length:]) for folder in folders]
        if len(set(names)) == len(set(folders)):
            return names


def _intervals(
    runs: Sequence[Measured],
    names: Sequence[str],
    metrics: Sequence[str],
    seed: int,
) -> list[str]:
    """Draws the means of the metrics at each cutoff, with their intervals."""
    charts: dict[str, list[Series]] = {}
    for metric in metrics:
        totals = [run.totals(metric) for run in runs]
        charts.setdefault(metric.partition("@")[2], []).append(
            Series(
                title_of(metric),
                names,
                [each.mean for each in totals],
                [interval(each, seed=seed) for each in totals],
            )
        )
    return [
        heading("Accuracy"),
        *(
            bar_chart(
                f"Accuracy of the first {cutoff}",
                series,
                "mean, with 95% intervals over users",
            )
            for cutoff, series in charts.items()
        ),
    ]


def _beyond(
    runs: Sequence[Measured], names: Sequence[str], tested: Examples
) -> list[str]:
    """Draws how much of the catalogue the lists show, and how rare it is."""
    found = beyond_accuracy(runs, tested.counts)
    return [
        heading("Coverage and novelty"),
        bar_chart(
            f"Coverage of the first {SHOWN}",
            [Series("coverage", names, [each.coverage for each in found])],
            "share of the items that are in someone's list",
        ),
        bar_chart(
            f"Novelty of the first {SHOWN}",
            [Series("novelty", names, [each.novelty for each in found])],
            "mean bits of an item's rarity",
        ),
    ]
