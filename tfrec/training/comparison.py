"""Runs beside each other: what `tfrec compare` shows."""

import dataclasses
import functools
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tfrec.data import PreparedDataset
from tfrec.durations import duration
from tfrec.errors import InputError
from tfrec.metrics.ranking import metric_of
from tfrec.metrics.ranks import SHOWN, Ranks
from tfrec.metrics.statistics import Totals, difference, holm, interval
from tfrec.models.base.items import count_interactions
from tfrec.table_text import Table
from tfrec.training.description import check_data, read_description
from tfrec.training.files import read_json
from tfrec.training.run import METRICS, RANKS, load_run, refuse_untested
from tfrec.training.tables import title_of


@dataclasses.dataclass(frozen=True)
class Measured:
    """A finished run.

    Attributes:
        folder: Its directory.
        settings: What `config.json` holds.
        numbers: What `metrics.json` holds.
        data_dir: Where its dataset is.
    """

    folder: Path
    settings: dict[str, Any]
    numbers: dict[str, Any]
    data_dir: Path

    @functools.cached_property
    def ranks(self) -> Ranks:
        """The ranks of its test."""
        return Ranks.load(self.folder / RANKS)

    def totals(self, name: str, ranks: Ranks | None = None) -> Totals:
        """Returns a metric, user by user.

        Args:
            name: Of the metric, such as "ndcg@10".
            ranks: Instead of those of its test.
        """
        ranks = ranks or self.ranks
        return Totals.of(ranks.values(metric_of(name)), ranks.records)

    def open_data(self) -> PreparedDataset:
        """Opens its dataset.

        Raises:
            InputError: If it is not there, or another one is in its place.
        """
        data = PreparedDataset.open(self.data_dir)
        tested = {
            "data": self.settings["data"],
            "data_dir": self.data_dir,
            "data_checksum": self.numbers["data_checksum"],
        }
        check_data(self.folder, tested, data)
        return data


def read_runs(
    folders: Sequence[str | Path], data_dir: str | Path = ""
) -> list[Measured]:
    """Reads finished runs that can be compared.

    Args:
        folders: Run directories.
        data_dir: Where their dataset is now; where it was by default.

    Raises:
        InputError: If one is no finished run or is named twice, or they were
            not tested on the same examples under the same protocol.
    """
    places = [Path(folder).resolve() for folder in folders]
    for place, folder in zip(places, folders, strict=True):
        if places.count(place) > 1:
            raise InputError(f"{folder} is named twice. Name each run once.")
    runs = [_read(Path(folder), data_dir) for folder in folders]
    check_same_test(runs)
    return runs


def check_same_test(runs: Sequence[Measured]) -> None:
    """Raises `InputError` if some were tested on other examples."""
    first = runs[0]
    for run in runs[1:]:
        for name, value in {
            "protocol": run.numbers["protocol"],
            "data_checksum": run.numbers["data_checksum"],
        }.items():
            if value != first.numbers[name]:
                raise InputError(
                    "Runs can be compared that were tested on the same dataset "
                    f"under the same protocol. {first.folder} has "
                    f"{name.replace('_', ' ')} {first.numbers[name]}, and "
                    f"{run.folder} has {value}."
                )


def _read(folder: Path, data_dir: str | Path) -> Measured:
    settings = read_description(folder)
    numbers = {}
    if (folder / METRICS).exists():
        numbers = read_json(folder / METRICS)
        refuse_untested(folder, numbers.get("no_test", ""))
    lacking = [
        name for name in (METRICS, RANKS) if not (folder / name).exists()
    ]
    if lacking or "metrics" not in numbers:
        raise InputError(
            f"{folder} has no {lacking[0] if lacking else 'test metrics'}, so "
            "it is not finished. Give `tfrec train` the same settings again, "
            "without --notest, to finish it."
        )
    return Measured(
        folder,
        settings,
        numbers,
        Path(data_dir or settings["data_dir"]),
    )


def best_first(runs: Sequence[Measured], by: str) -> list[Measured]:
    """Returns runs in the order of a metric, such as "ndcg@10"."""
    return sorted(runs, key=lambda run: -run.totals(by).mean)


def compare(
    runs: Sequence[Measured],
    metrics: Sequence[str],
    by: str,
    seed: int = 0,
    shuffle: bool = False,
) -> Table:
    """Compares runs, the best first.

    Args:
        runs: What `read_runs` returned.
        metrics: Names of the metrics to show, such as "ndcg@10".
        by: The one that orders the runs and is tested.
        seed: Of the bootstrap and of the random orders.
        shuffle: Whether to rank again with histories in random order.

    Raises:
        InputError: If the dataset is not there.
    """
    runs = best_first(runs, by)
    columns = {
        "run": [str(run.folder) for run in runs],
        "model": [run.numbers["model"] for run in runs],
        **{
            title_of(name): [_estimate(run.totals(name), seed) for run in runs]
            for name in metrics
        },
        "p": ["best", *(f"{p:.2g}" for p in beside_best(runs, by))],
    }
    if shuffle:
        columns[f"{title_of(by)} shuffled"] = [
            _estimate(run.totals(by, _shuffled(run, seed)), seed)
            for run in runs
        ]
    shown = beyond_accuracy(runs, count_interactions(runs[0].open_data()))
    for name, form in {
        "coverage": "{:.1%}",
        "popularity": "{:,.0f}",
        "novelty": "{:.1f}",
    }.items():
        columns[f"{name}@{SHOWN}"] = [
            form.format(getattr(each, name)) for each in shown
        ]
    columns["time"] = [duration(r.numbers["wall_seconds"]) for r in runs]
    columns["parameters"] = [f"{run.numbers['parameters']:,}" for run in runs]
    return Table(
        runs[0].numbers["protocol"],
        list(columns),
        list(zip(*columns.values(), strict=True)),
        [
            "[ ]: 95% intervals over users. p: of a paired t-test of "
            f"{title_of(by)} against the best, Holm-corrected for all pairs "
            "of runs. coverage: the "
            "share of the items that are in someone's list. popularity: mean "
            "interactions of an item shown. novelty: mean bits of its rarity."
        ],
    )


def beside_best(runs: Sequence[Measured], by: str) -> list[float]:
    """Returns the p-value of each run but the first beside the first.

    Which run is the best is not known before, so that each pair counts as a
    test: corrected for the runs alone, one of twenty models that are equally
    good would be below the best with p < .05 in a fifth of all comparisons.

    Args:
        runs: The best first.
        by: The metric.
    """
    totals = [run.totals(by) for run in runs]
    pairs = itertools.combinations(totals, 2)
    p_values = holm([difference(other, one) for one, other in pairs])
    # Those of the first come first.
    return p_values[: len(runs) - 1]


def _estimate(totals: Totals, seed: int) -> str:
    low, high = interval(totals, seed=seed)
    return f"{totals.mean:.4f} [{low:.4f}, {high:.4f}]"


def _shuffled(run: Measured, seed: int) -> Ranks:
    """Ranks the test of a run again, with histories in random order."""
    trained = load_run(run.folder, run.data_dir)
    return trained.rank("test", shuffle=seed)


class Beyond(NamedTuple):
    """What the lists of a run hold.

    Attributes:
        coverage: The share of the items that are in someone's list.
        popularity: Mean interactions of an item shown.
        novelty: Mean bits of its rarity, -log2 of its share of all
            interactions.
    """

    coverage: float
    popularity: float
    novelty: float


def beyond_accuracy(
    runs: Sequence[Measured], counts: np.ndarray
) -> list[Beyond]:
    """Returns what the lists of each run hold: how much, and how rare.

    Args:
        runs: The runs.
        counts: float64 `[num_items]`, the interactions of each item.
    """
    # An item that training never saw counts as half an interaction.
    rarity = -np.log2(np.maximum(counts, 0.5) / counts.sum())
    found = []
    for run in runs:
        shown = run.ranks.shown
        shares = shown / shown.sum()
        found.append(
            Beyond(
                float(np.mean(shown > 0)),
                float(shares @ counts),
                float(shares @ rarity),
            )
        )
    return found
