"""For whom, and of which items, runs are right; and what their lists hold.

Each function takes a test and the ranks of runs of it, by the names that the
runs have in the pictures.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from tfrec.charts import Series, bar_chart
from tfrec.data.gaps import why_no_gaps
from tfrec.metrics.ranking import NDCG, NEVER, RankingMetric, Recall
from tfrec.metrics.ranks import SHOWN, Ranks
from tfrec.reporting.parts import Examples, means
from tfrec.training.tables import title_of
from tfrec.web_page import heading, note

Ranked = Mapping[str, Ranks]
METRICS = (NDCG(SHOWN), Recall(SHOWN))
# Groups of histories, of about as many examples each.
_LENGTH_GROUPS = 6
# Groups of times, and the seconds of the longest of each.
_TIME_GROUPS = {
    "under 10 s": 10,
    "10 s to 1 min": 60,
    "1 to 10 min": 600,
    "10 min to 1 h": 3600,
    "1 h to 1 day": 86_400,
    "1 to 7 days": 7 * 86_400,
    "7 to 30 days": 30 * 86_400,
    "30 days to 1 year": 365 * 86_400,
    "over 1 year": np.inf,
}
# Bounds of the ranks that are counted together.
_RANKS = (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 100_000, 1_000_000)


def by_length(
    tested: Examples, ranked: Ranked, metrics: Sequence[RankingMetric] = METRICS
) -> list[str]:
    """Returns the accuracy by the length of the history."""
    lengths = tested.lengths
    edges = np.quantile(lengths, np.linspace(0, 1, _LENGTH_GROUPS + 1))
    edges = np.unique(np.ceil(edges[1:]).astype(np.int64))
    groups, low = {}, int(lengths.min())
    for high in edges.tolist():
        name = f"{low}" if low == high else f"{low} to {high}"
        groups[f"{name} items"] = (lengths >= low) & (lengths <= high)
        low = high + 1
    return [
        heading("By length of the history"),
        *_in_groups("the length of the history", groups, ranked, metrics),
    ]


def by_time(
    tested: Examples, ranked: Ranked, metrics: Sequence[RankingMetric] = METRICS
) -> list[str]:
    """Returns the accuracy by the time since the last event of the history."""
    parts = [heading("By time since the last event")]
    if tested.gaps is None:
        return [*parts, note(f"Not known. {why_no_gaps(tested.data, 'test')}")]
    groups, low = {}, -np.inf
    for name, high in _TIME_GROUPS.items():
        groups[name] = (tested.gaps >= low) & (tested.gaps < high)
        low = high
    return [
        *parts,
        note(
            "The time from the last event of the history to the first that is "
            "to be predicted."
        ),
        *_in_groups("time since the last event", groups, ranked, metrics),
    ]


def by_popularity(tested: Examples, ranked: Ranked) -> list[str]:
    """Returns the share of targets that are found by their popularity."""
    counted = (tested.targets > 0) & (tested.targets <= len(tested.counts))
    owners = np.broadcast_to(tested.records[:, None], counted.shape)[counted]
    group = tested.popularity[tested.targets[counted] - 1]
    groups = {
        name: group == number
        for number, name in tested.popularity_groups().items()
    }
    name = f"targets among the first {SHOWN}"
    series = [
        means(
            run if len(ranked) > 1 else name,
            (ranks.targets[counted] <= SHOWN).astype(np.float64),
            owners,
            groups,
        )
        for run, ranks in ranked.items()
    ]
    return [
        heading("By popularity of the item"),
        note(
            "Items in groups that have as many interactions each, the most "
            "popular first. Popularity is counted in training and validation."
        ),
        bar_chart(
            f"Targets that are among the first {SHOWN}, by their popularity",
            series,
            "share, with 95% intervals over users",
        ),
    ]


def _in_groups(
    by: str,
    groups: Mapping[str, np.ndarray],
    ranked: Ranked,
    metrics: Sequence[RankingMetric],
) -> list[str]:
    """Draws metrics of groups of examples: of several runs each in a chart.

    Args:
        by: What makes the groups.
        groups: Masks `[examples]` by name.
        ranked: Ranks of runs by name.
        metrics: What to draw.
    """
    groups = {
        f"{name}, {mask.sum():,} examples": mask
        for name, mask in groups.items()
        if mask.any()
    }
    found = {
        (run, metric.name): means(
            run if len(ranked) > 1 else title_of(metric.name),
            ranks.values(metric),
            ranks.records,
            groups,
        )
        for run, ranks in ranked.items()
        for metric in metrics
    }
    names = [metric.name for metric in metrics]
    charts = {
        title_of(name): [found[run, name] for run in ranked] for name in names
    }
    if len(ranked) == 1:
        charts = {" and ".join(charts): list(found.values())}
    return [
        bar_chart(
            f"{title} by {by}", series, "mean, with 95% intervals over users"
        )
        for title, series in charts.items()
    ]


def rank_histogram(tested: Examples, ranked: Ranked) -> list[str]:
    """Returns how often targets have which rank, beside chance."""
    items = len(tested.counts)
    bounds, low = {}, 1
    for high in _RANKS:
        if low > items:
            break
        high = min(high, items)
        name = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        bounds[name] = (low, high)
        low = high + 1
    series, notes = [], []
    for run, ranks in ranked.items():
        found = ranks.targets[ranks.targets > 0]
        placed = found[found < NEVER]
        shares = [
            float(((placed >= low) & (placed <= high)).sum())
            / max(len(found), 1)
            for low, high in bounds.values()
        ]
        series.append(Series(run, list(bounds), shares))
        about = f"{run}: " if len(ranked) > 1 else ""
        if len(placed):
            notes.append(f"{about}The median rank is {np.median(placed):,.0f}.")
        if never := len(found) - len(placed):
            notes.append(
                f"{about}{never:,} of {len(found):,} targets are not ranked: "
                "items of the history, or never seen in training."
            )
    chance = [(high - low + 1) / items for low, high in bounds.values()]
    return [
        heading("Ranks of the targets"),
        bar_chart(
            "Where the targets are ranked",
            [*series, Series("chance", list(bounds), chance)],
            "share of the targets",
        ),
        *map(note, notes),
    ]


def shown_items(tested: Examples, ranked: Ranked) -> list[str]:
    """Returns how much of the catalogue the lists show, and how popular."""
    counts, names = tested.counts, tested.popularity_groups()
    labels = list(names.values())

    def shares(name: str, values: np.ndarray) -> Series:
        total = max(values.sum(), 1)
        held = [values[tested.popularity == n].sum() / total for n in names]
        return Series(name, labels, [float(share) for share in held])

    notes = []
    for run, ranks in ranked.items():
        of_lists = ranks.shown / max(ranks.shown.sum(), 1)
        about = f"{run}: " if len(ranked) > 1 else ""
        notes.append(
            f"{about}{np.mean(ranks.shown > 0):.1%} of the items are in "
            f"someone's first {SHOWN}. An item shown has "
            f"{of_lists @ counts:,.0f} interactions on average; an item of the "
            f"catalogue has {counts.mean():,.1f}."
        )
    return [
        heading("What is recommended"),
        *map(note, notes),
        bar_chart(
            f"Popularity of the first {SHOWN}",
            [
                *(shares(run, ranks.shown) for run, ranks in ranked.items()),
                shares("all interactions", counts),
                shares("all items", np.ones_like(counts)),
            ],
            "share",
        ),
    ]
