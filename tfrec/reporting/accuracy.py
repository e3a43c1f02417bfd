"""For whom, and of which items, a run is right; and what its lists hold."""

import numpy as np

from tfrec.charts import Series, bar_chart
from tfrec.metrics.ranking import NDCG, NEVER, Recall
from tfrec.metrics.ranks import SHOWN
from tfrec.reporting.parts import Examples, heading, means, note

# Groups of histories, of about as many examples each.
_LENGTH_GROUPS = 6
# Bounds of the ranks that are counted together.
_RANKS = (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 100_000, 1_000_000)


def by_length(tested: Examples) -> list[str]:
    """Returns the accuracy by the length of the history."""
    lengths = tested.lengths
    edges = np.quantile(lengths, np.linspace(0, 1, _LENGTH_GROUPS + 1))
    edges = np.unique(np.ceil(edges[1:]).astype(np.int64))
    groups, low = {}, int(lengths.min())
    for high in edges.tolist():
        mask = (lengths >= low) & (lengths <= high)
        name = f"{low}" if low == high else f"{low} to {high}"
        groups[f"{name} items, {mask.sum():,} examples"] = mask
        low = high + 1
    return [
        heading("By length of the history"),
        bar_chart(
            f"NDCG@{SHOWN} and recall@{SHOWN} by the length of the history",
            [
                means(
                    metric.name,
                    tested.ranks.values(metric),
                    tested.ranks.records,
                    groups,
                )
                for metric in (NDCG(SHOWN), Recall(SHOWN))
            ],
            "mean, with 95% intervals over users",
        ),
    ]


def by_popularity(tested: Examples) -> list[str]:
    """Returns the share of targets that are found by their popularity."""
    ranks, targets = tested.ranks.targets, tested.targets
    counted = (targets > 0) & (targets <= len(tested.counts))
    found = (ranks[counted] <= SHOWN).astype(np.float64)
    owners = np.broadcast_to(tested.ranks.records[:, None], ranks.shape)[
        counted
    ]
    group = tested.popularity[targets[counted] - 1]
    groups = {
        name: group == number
        for number, name in tested.popularity_groups().items()
    }
    name = f"targets among the first {SHOWN}"
    return [
        heading("By popularity of the item"),
        note(
            "Items in groups that have as many interactions each, the most "
            "popular first. Popularity is counted in training and validation."
        ),
        bar_chart(
            f"Targets that are among the first {SHOWN}, by their popularity",
            [means(name, found, owners, groups)],
            "share, with 95% intervals over users",
        ),
    ]


def by_time(tested: Examples) -> list[str]:
    """Returns the accuracy by time since the last event, which nobody knows."""
    del tested
    return [
        heading("By time since the last event"),
        note(
            "Not known: a prepared dataset keeps the order of events, and no "
            "times."
        ),
    ]


def rank_histogram(tested: Examples) -> list[str]:
    """Returns how often targets have which rank, beside chance."""
    ranks = tested.ranks.targets[tested.ranks.targets > 0]
    ranked = ranks[ranks < NEVER]
    items = len(tested.counts)
    names, shares, chance, low = [], [], [], 1
    for high in _RANKS:
        if low > items:
            break
        high = min(high, items)
        names.append(f"{low:,}" if low == high else f"{low:,} to {high:,}")
        inside = ((ranked >= low) & (ranked <= high)).sum()
        shares.append(float(inside / max(len(ranks), 1)))
        chance.append((high - low + 1) / items)
        low = high + 1
    never = len(ranks) - len(ranked)
    parts = [
        heading("Ranks of the targets"),
        bar_chart(
            "Where the targets are ranked",
            [
                Series("this run", names, shares),
                Series("chance", names, chance),
            ],
            "share of the targets",
        ),
    ]
    if len(ranked):
        parts.append(note(f"The median rank is {np.median(ranked):,.0f}."))
    if never:
        parts.append(
            note(
                f"{never:,} of {len(ranks):,} targets are not ranked: items of "
                "the history, or never seen in training."
            )
        )
    return parts


def shown_items(tested: Examples) -> list[str]:
    """Returns how much of the catalogue the lists show, and how popular."""
    shown, counts = tested.ranks.shown, tested.counts
    names = tested.popularity_groups()

    def shares(values: np.ndarray) -> list[float]:
        total = max(values.sum(), 1)
        held = [values[tested.popularity == n].sum() / total for n in names]
        return [float(share) for share in held]

    labels = list(names.values())
    of_lists = shown / max(shown.sum(), 1)
    return [
        heading("What is recommended"),
        note(
            f"{np.mean(shown > 0):.1%} of the items are in someone's first "
            f"{SHOWN}. An item shown has {of_lists @ counts:,.0f} interactions "
            f"on average; an item of the catalogue has {counts.mean():,.1f}."
        ),
        bar_chart(
            f"Popularity of the first {SHOWN}",
            [
                Series("places in lists", labels, shares(shown)),
                Series("interactions", labels, shares(counts)),
                Series("items", labels, shares(np.ones_like(counts))),
            ],
            "share",
        ),
    ]
