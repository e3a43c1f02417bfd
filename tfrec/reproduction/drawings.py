"""The figures that are drawn from more than metrics."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tfrec.charts import Series, line_chart, scatter
from tfrec.errors import InputError
from tfrec.metrics.ranks import Ranks
from tfrec.reproduction.measured import Measurements
from tfrec.reproduction.plan import Drawn, Row
from tfrec.reproduction.sections import NOT_RUN, Picture
from tfrec.table_text import Table
from tfrec.training.comparison import Measured
from tfrec.training.tables import short

Blocks = list[str | Picture | Table]
# Of some lengths: their name, how many targets, recall@20 and MRR@20.
Group = tuple[str, int, float, float]
# The longest session of each group but the last.
_LENGTHS = (1, 2, 3, 4, 5, 6, 8, 11, 16)
_CUTOFF = 20


def draw(part: Drawn, measured: Measurements) -> Blocks:
    """Returns what a drawing shows.

    Args:
        part: The figure.
        measured: What the runs measured.
    """
    drawings: dict[str, Callable[[Drawn, Measurements], Blocks]] = {
        "densities": _densities,
        "encodings": _encodings,
        "lengths": _lengths,
    }
    return drawings[part.drawing](part, measured)


def _densities(part: Drawn, measured: Measurements) -> Blocks:
    """Draws ACVAE's Figure 2."""
    from tfrec.reproduction import densities

    found = densities.fit()
    points = {"real (independent)": found.real, "fake (dependent)": found.fake}
    outputs = {
        "real (independent)": found.real_output,
        "fake (dependent)": found.fake_output,
    }
    numbers = range(1, len(found.real) + 1)
    return [
        f"The KL term is {found.kl:.3f} nats for both. The critic gives a real "
        f"draw more than a fake one in {found.separated:.1%} of the pairs. It "
        "is ACVAE's adversary T, trained on draws of the two.",
        Picture(
            scatter(
                f"(a) Draws, sigma = {densities.SIGMA}",
                [
                    Series(name, *np.asarray(z).T.tolist())
                    for name, z in points.items()
                ],
                "z1",
                "z2",
                "Real draws lie around four corners, fake ones around two.",
            )
        ),
        Picture(
            scatter(
                "(b) What the critic says of each draw",
                [
                    Series(name, list(numbers), np.asarray(y).tolist())
                    for name, y in outputs.items()
                ],
                "draw",
                "sigmoid of the critic's output",
            )
        ),
    ]


def _runs(part: Drawn, measured: Measurements) -> dict[Row, Measured]:
    """Returns the run of the first seed of each model."""
    found = {r: measured.runs(r.job(part.dataset, "ours")) for r in part.rows}
    return {row: runs[0] for row, runs in found.items() if runs}


def _absent(part: Drawn, present: Sequence[Row]) -> list[str]:
    absent = [row.title for row in part.rows if row not in present]
    return [f"{NOT_RUN.capitalize()}: {', '.join(absent)}."] if absent else []


def _encodings(part: Drawn, measured: Measurements) -> Blocks:
    """Draws VASER's Figure 2."""
    from tfrec.reproduction.encodings import encodings, in_plane, spread

    runs = _runs(part, measured)
    blocks: Blocks = [*_absent(part, list(runs))]
    for row, run in runs.items():
        points = encodings(run.folder)
        blocks.append(
            f"{row.title}: {len(points):,} sessions in {points.shape[1]} "
            f"dimensions, of which they fill {spread(points):.1f} (the "
            "participation ratio of the covariance)."
        )
        try:
            plane = in_plane(points)
        except InputError as error:
            blocks.append(f"Not drawn: {error}")
            continue
        series = [Series(row.title, *plane.T.tolist())]
        title = f"Encodings of {row.title}, t-SNE"
        blocks.append(Picture(scatter(title, series, "", "")))
    return blocks


def _lengths(part: Drawn, measured: Measurements) -> Blocks:
    """Draws VASER's Figure 3."""
    runs = _runs(part, measured)
    blocks: Blocks = [*_absent(part, list(runs))]
    if not runs:
        return blocks
    found = {row.title: lengths(run.ranks) for row, run in runs.items()}
    for title in LENGTHS:
        each = {name: groups[title] for name, groups in found.items()}
        head, rows = length_table(title, each)
        blocks.append(Table(f"By {title}, the first seed.", head, rows))
        charts: dict[str, list[Series]] = {"recall": [], "MRR": []}
        for name, groups in each.items():
            numbers = list(range(1, len(groups) + 1))
            for place, series in enumerate(charts.values(), 2):
                ys = [group[place] for group in groups]
                series.append(Series(name, numbers, ys))
        names = ", ".join(f"{i}: {row[0]}" for i, row in enumerate(rows, 1))
        blocks += [
            Picture(
                line_chart(
                    f"{name}@{_CUTOFF} by {title}",
                    series,
                    f"group: {names}",
                    f"{name}@{_CUTOFF}",
                )
            )
            for name, series in charts.items()
        ]
    return blocks


def session_lengths(ranks: Ranks) -> np.ndarray:
    """Returns the clicks of the session that each example is of.

    Args:
        ranks: Of a test with the protocol next_click, in which each click but
            the first is an example.
    """
    return np.bincount(ranks.records)[ranks.records] + 1


def clicks_before(ranks: Ranks) -> np.ndarray:
    """Returns how many clicks of its session come before each target."""
    counts = np.bincount(ranks.records)
    first = np.cumsum(counts) - counts
    return np.arange(len(ranks.records)) - first[ranks.records] + 1


# What a session's length can mean, and how it is counted.
LENGTHS = {
    "clicks of the session": session_lengths,
    "clicks before the target": clicks_before,
}


def lengths(ranks: Ranks) -> dict[str, list[Group]]:
    """Returns recall and MRR by length, for each meaning of it."""
    return {
        title: by_length(ranks, count(ranks))
        for title, count in LENGTHS.items()
    }


def length_table(
    title: str, models: Mapping[str, Sequence[Group]]
) -> tuple[list[str], list[list[str]]]:
    """Returns the head and the rows of a table of models by length.

    Args:
        title: What the length is.
        models: By name, what `lengths` gave for that.
    """
    head, rows = [title, "targets"], {}
    for name, groups in models.items():
        head += [f"{name} {metric}@{_CUTOFF}" for metric in ("recall", "MRR")]
        for group, targets, *values in groups:
            line = rows.setdefault(group, [group, f"{targets:,}"])
            line += map(short, values)
    return head, list(rows.values())


def by_length(ranks: Ranks, lengths: np.ndarray) -> list[Group]:
    """Returns recall and MRR by length.

    Args:
        ranks: Of a test with one target in each example.
        lengths: Of each example. A group that has none is left out.
    """
    places = ranks.targets[:, 0].astype(np.float64)
    hits = places <= _CUTOFF
    found, low = [], 0
    for high in (*_LENGTHS, np.inf):
        chosen = (lengths > low) & (lengths <= high)
        name = f"{low + 1}" if high == low + 1 else f"{low + 1}-{high}"
        if high == np.inf:
            name = f"over {low}"
        if chosen.any():
            hit, place = hits[chosen], places[chosen]
            mrr = np.where(hit, 1.0 / place, 0.0).mean()
            recall = float(hit.mean())
            found.append((name, int(chosen.sum()), recall, float(mrr)))
        low = high
    return found
