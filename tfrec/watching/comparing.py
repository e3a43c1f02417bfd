"""What is compared of requests, and by which names."""

import collections
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tfrec.data import PreparedDataset
from tfrec.watching.drift import (
    Counted,
    Popularity,
    Shift,
    Shown,
    count_shown,
    of_groups,
    of_numbers,
)
from tfrec.watching.reference import Pool
from tfrec.watching.served import Answer, Served

# Shares from which something is said.
_MUCH_UNKNOWN, _MUCH_EMPTY, _MANY_NEW_USERS = 0.05, 0.05, 0.5
# How many items are listed. One has risen that is there so often, and so many
# standard deviations above what training lets expect: of many items, some
# are above two by chance.
NAMES, _LEAST_TIMES, _DEVIATIONS = 5, 10, 5

LENGTHS = "known items in a history"
HISTORY_ITEMS = "popularity of items in histories"
TOP_SCORE = "score of the first item"
MARGIN = "its margin over the second"
LIST_ITEMS = "popularity of items recommended"
UNKNOWN_ITEMS = "unknown items, of those in histories"
UNKNOWN_USERS = "unknown users, of those named"
EMPTY = "histories without any item"
LOST = "histories whose items are all unknown"
NONE_KNOWN = "histories without a known item"


class Risen(NamedTuple):
    """An item, and its share of those in histories: trained, and now."""

    item: str
    title: str
    before: float
    now: float


def shares(served: Served, least: int) -> list[Counted]:
    """Returns the shares of unknown items and users, and of empty histories.

    Args:
        served: The requests.
        least: Fewest rows for a verdict.
    """
    found = [
        (UNKNOWN_ITEMS, served.unknown_items, _MUCH_UNKNOWN),
        (EMPTY, served.empty, _MUCH_EMPTY),
        (LOST, served.lost, _MUCH_EMPTY),
    ]
    if served.unknown_users.rows:
        found.append((UNKNOWN_USERS, served.unknown_users, _MANY_NEW_USERS))
    return [
        Counted(name, share, much, share.rows >= least)
        for name, share, much in found
    ]


def of_histories(
    served: Served, pool: Pool, popularity: Popularity, least: int
) -> list[Shift]:
    """Compares the lengths of histories, and how popular their items are.

    Args:
        served: The requests.
        pool: The histories of the test.
        popularity: Of the items.
        least: Fewest rows for a verdict.
    """
    rows = served.lengths.total()
    if not rows:
        return []
    lengths = collections.Counter(pool.lengths.tolist())
    return [
        of_numbers(LENGTHS, lengths, served.lengths, least, whole=True),
        of_groups(
            HISTORY_ITEMS,
            popularity.names,
            popularity.group_of,
            (pool.items, len(pool.lengths)),
            (served.items, rows),
            least,
        ),
    ]


def of_scores(
    before: Sequence[Answer], now: Sequence[Answer], least: int
) -> list[Shift]:
    """Compares the first scores, and how far they are above the second.

    Args:
        before: The answers to the test.
        now: Those to requests.
        least: Fewest of them for a verdict.
    """
    found = []
    for name, value in (
        (TOP_SCORE, lambda scores: scores[0]),
        (MARGIN, lambda scores: scores[0] - scores[-1]),
    ):
        samples = [
            collections.Counter(
                # No finer than servers differ.
                round(value(answer.scores), 3)
                for answer in answers
                if name == TOP_SCORE or len(answer.scores) > 1
            )
            for answers in (before, now)
        ]
        if all(samples):
            found.append(of_numbers(name, *samples, least))
    return found


def of_lists(
    before: Sequence[Answer],
    now: Sequence[Answer],
    length: int,
    popularity: Popularity,
    least: int,
    rng: np.random.Generator,
) -> tuple[tuple[Shown, Shown], Shift]:
    """Compares lists, as many of both: coverage grows with their number.

    Args:
        before: The answers to the test.
        now: Those to requests.
        length: How many items of each are looked at.
        popularity: Of the items.
        least: Fewest lists for a verdict.
        rng: Draws those that are compared.

    Returns:
        What both hold, and how the popularity of their items moved.
    """
    size, counts = min(len(before), len(now)), popularity.counts
    shown = [
        count_shown(
            [each[i] for i in rng.permutation(len(each))[:size]],
            len(counts),
            length,
        )
        for each in (before, now)
    ]
    shift = of_groups(
        LIST_ITEMS,
        popularity.names,
        popularity.group_of,
        *((each, size) for each in shown),
        least,
    )
    return tuple(Shown.of(each, counts) for each in shown), shift


def risen_items(
    served: Served, counts: np.ndarray, data: PreparedDataset
) -> list[Risen]:
    """Returns the items whose share grew most since the training.

    Args:
        served: The requests.
        counts: The interactions of each item in the training.
        data: Names the items.
    """
    now = served.items / max(served.items.sum(), 1)
    before = counts / max(counts.sum(), 1.0)
    # An item that training never saw counts as half an interaction.
    expected = np.maximum(counts, 0.5) / max(counts.sum(), 1.0)
    expected *= served.items.sum()
    least = expected + _DEVIATIONS * np.sqrt(expected)
    risen = (served.items >= _LEAST_TIMES) & (served.items > least)
    grown = np.where(risen, now - before, 0.0)
    items = data.vocabulary.items
    return [
        Risen(
            items[place],
            data.titles.get(items[place], ""),
            float(before[place]),
            float(now[place]),
        )
        for place in np.argsort(-grown, kind="stable")[:NAMES].tolist()
        if grown[place] > 0
    ]
