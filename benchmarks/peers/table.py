"""The tables of `benchmarks.peers`: scores and costs, and what differs."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.peers.cells import Cell
from tfrec.errors import InputError
from tfrec.metrics.ranking import ranking_metrics
from tfrec.metrics.ranks import Ranks
from tfrec.metrics.statistics import Totals, interval
from tfrec.table_text import Table
from tfrec.training.tables import short, title_of

CUTOFF = 10
# The library's own metrics, of the same ranking, may be off by so much.
TOLERANCE = 1e-4
Answers = Mapping[Cell, Mapping[str, Any]]


def values(ranks: Sequence[int]) -> dict[str, np.ndarray]:
    """Returns each metric of each user, by its name, from the ranks.

    Args:
        ranks: Of the targets of the test, one a user.
    """
    targets = np.array(ranks, np.int32)[:, None]
    kept = Ranks(targets, np.arange(len(targets)), np.zeros(0, np.int64))
    metrics = ranking_metrics((CUTOFF,))
    return {metric.name: kept.values(metric) for metric in metrics}


def check_metrics(cell: Cell, answer: Mapping[str, Any]) -> float:
    """Compares what a library says of its ranking with what its ranks give.

    Returns:
        The largest difference.

    Raises:
        InputError: If it is above `TOLERANCE`. Not with Pop, whose ties each
            library breaks in its own way.
    """
    found = values(answer["ranks"])
    own = answer["own_metrics"]
    worst = max(abs(own[name] - found[name].mean()) for name in found)
    if worst > TOLERANCE and cell.model != "pop":
        raise InputError(
            f"{cell.name}: the metrics of the library differ by {worst:.2g} "
            "from those of its ranks. The two do not measure the same."
        )
    return float(worst)


def check_pop(tfrec: Mapping[str, Any], peer: Mapping[str, Any]) -> str:
    """Says that popularity is the same in both: the check of the protocol.

    tfrec breaks ties, by the vocabulary; RecBole has whole ties, of which the
    numbers of items above and of equals are known.

    Raises:
        InputError: If a rank of tfrec's is outside of RecBole's tie.
    """
    places = zip(tfrec["ranks"], peer["above"], peer["equal"], strict=True)
    wrong = [
        user
        for user, (rank, above, equal) in enumerate(places, 1)
        if not above < rank <= above + equal
    ]
    count = len(tfrec["ranks"])
    if wrong:
        raise InputError(
            f"Popularity ranks {len(wrong)} of {count} targets otherwise in "
            f"RecBole, the first of user {wrong[0]}: data, split or exclusion "
            "differ, and nothing else can be compared."
        )
    return f"Popularity: all {count} ranks agree, up to ties."


def scores(answers: Answers, caption: str) -> Table:
    """Returns quality, seconds and memory, one row a model and library.

    Args:
        answers: What the finished cells measured.
        caption: The protocol.
    """
    rows = []
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in answers:
        groups.setdefault((cell.model, cell.library), []).append(cell)
    for (model, library), cells in groups.items():
        found = [values(answers[cell]["ranks"]) for cell in cells]
        means = [
            _mean_and_spread([v[name].mean() for v in found])
            for name in found[0]
        ]
        seconds = [s for c in cells for s in answers[c]["epoch_seconds"]]
        each = [
            answers[cell]["cpu_seconds"] / answers[cell]["epochs"]
            for cell in cells
            if answers[cell]["cpu_seconds"]
        ]
        peaks = [answers[cell]["peak_bytes"] or 0 for cell in cells]
        rows.append(
            [
                model,
                library,
                ", ".join(str(cell.seed) for cell in cells),
                *means,
                ", ".join(_epochs(answers[cell]) for cell in cells),
                f"{statistics.median(seconds):.1f}" if seconds else "",
                f"{statistics.mean(each):.1f}" if each else "",
                f"{max(peaks) / 1e9:.2f}" if any(peaks) else "",
            ]
        )
    names = [title_of(f"{name}@{CUTOFF}") for name in ("recall", "ndcg", "mrr")]
    head = ["model", "library", "seeds", *names]
    head += ["best epoch", "s an epoch", "CPU s an epoch", "GB"]
    return Table(caption, head, rows)


def differences(answers: Answers) -> Table:
    """Returns tfrec minus RecBole, paired by user, with 95% intervals.

    Args:
        answers: What the finished cells measured.
    """
    rows, names = [], []
    for model in dict.fromkeys(cell.model for cell in answers):
        seeds = [
            cell.seed
            for cell in answers
            if cell.model == model
            and {Cell(lib, model, cell.seed) for lib in ("tfrec", "recbole")}
            <= answers.keys()
        ]
        seeds = sorted(set(seeds))
        if not seeds:
            continue
        ours, theirs = (
            [values(answers[Cell(lib, model, s)]["ranks"]) for s in seeds]
            for lib in ("tfrec", "recbole")
        )
        names = list(ours[0])
        row = [model, ", ".join(map(str, seeds))]
        for name in names:
            each = np.mean([v[name] for v in ours], 0)
            each = each - np.mean([v[name] for v in theirs], 0)
            totals = Totals(each, np.ones_like(each))
            ends = " to ".join(map(_signed, interval(totals)))
            row.append(f"{_signed(totals.mean)} ({ends})")
        rows.append(row)
    head = ["model", "seeds", *map(title_of, names)]
    caption = "tfrec minus RecBole, 95% intervals over users, paired:"
    return Table(caption, head, rows)


def _epochs(answer: Mapping[str, Any]) -> str:
    return f"{answer['best_epoch']} of {answer['epochs']}"


def _signed(value: float) -> str:
    return ("-" if value < 0 else "+") + short(abs(value))


def _mean_and_spread(found: Sequence[float]) -> str:
    text = short(statistics.mean(found))
    if len(found) > 1:
        text += f" ± {short(statistics.stdev(found))}"
    return text
