"""Ten users with titles: whom a run serves best, worst, and some others."""

import numpy as np

from tfrec.data import PreparedDataset
from tfrec.data.people import People, Person
from tfrec.explorer.engines import RunEngine
from tfrec.metrics.ranking import NEVER
from tfrec.metrics.ranks import Ranks
from tfrec.table_text import Table
from tfrec.training.run import Run
from tfrec.web_page import heading, note

_BEST, _WORST, _ANYONE = 3, 3, 4
# Items of each that are shown.
_SHOWN = 5


def ten_people(run: Run, ranks: Ranks, seed: int = 0) -> list[str]:
    """Returns histories, what came next and what was recommended.

    Args:
        run: The run.
        ranks: Of its test.
        seed: Of those taken at random.
    """
    people, engine = People(run.data), RunEngine(run, run.folder.name)
    records, quality = _quality(ranks)
    order = records[np.argsort(-quality, kind="stable")]
    best = order[:_BEST].tolist()
    rest = order[len(best) :]
    worst = rest[::-1][:_WORST].tolist()
    left = rest[: len(rest) - len(worst)]
    rng = np.random.default_rng(seed)
    anyone = rng.choice(left, min(_ANYONE, len(left)), replace=False).tolist()
    kind = "users" if run.data.protocol.has_users else "sessions"
    parts = [
        heading(f"Some {kind}"),
        note(
            "The best and the worst by the NDCG of their whole ranking"
            + ("" if run.data.titles else ". The dataset has no titles")
            + "."
        ),
    ]
    for title, chosen in (
        ("Best", best),
        ("Worst", worst),
        ("At random", anyone),
    ):
        for record in chosen:
            parts.append(_told(title, people.at(record), engine, run.data))
    return parts


def _quality(found: Ranks) -> tuple[np.ndarray, np.ndarray]:
    """Returns each record that has a target, and how well it is ranked."""
    ranks = found.targets.astype(np.float64)
    gain = np.where(
        (ranks > 0) & (ranks < NEVER), 1 / np.log2(1 + np.maximum(ranks, 1)), 0
    )
    lengths = (ranks > 0).sum(1)
    places = np.arange(1, ranks.shape[1] + 1)
    ideal = np.cumsum(1 / np.log2(1 + places))[np.maximum(lengths, 1) - 1]
    records = found.records[lengths > 0]
    each = (gain.sum(1) / ideal)[lengths > 0]
    sums, counts = np.bincount(records, each), np.bincount(records)
    there = np.flatnonzero(counts)
    return there, sums[there] / counts[there]


def _told(
    title: str, person: Person, engine: RunEngine, data: PreparedDataset
) -> str:
    ids = data.vocabulary.lookup(person.history)
    known = [item for item in person.targets if item <= data.num_items]
    following = data.vocabulary.lookup(known)
    answer = engine.recommend(ids, person.name, _SHOWN, following)

    def called(item: str) -> str:
        return data.titles.get(item, item)

    def ranked(item: str, rank: int | None) -> str:
        return f"{called(item)} ({rank or 'not ranked'})"

    unseen = len(person.targets) - len(known)
    columns = [
        [called(item) for item in ids[-_SHOWN:]],
        [
            ranked(item, rank)
            for item, rank in zip(following, answer.ranks, strict=True)
        ][:_SHOWN],
        [
            ("✓ " if item in following else "") + called(item)
            for item in answer.items
        ],
    ]
    height = max(map(len, columns))
    rows = zip(*([*c, *[""] * (height - len(c))] for c in columns), strict=True)
    notes = []
    if len(following) > _SHOWN:
        notes.append(f"{len(following) - _SHOWN} more came next.")
    if person.skipped:
        notes.append(
            f"{person.skipped} more of the history were never seen in training."
        )
    if unseen:
        notes.append(f"{unseen} of what came next was never seen in training.")
    table = Table(
        f"{title}: {person.name}, {len(ids)} items",
        ["the last of the history", "what came next (rank)", "recommended"],
        list(rows),
        notes,
    )
    return table.fragment()
