"""A generated log with a known structure, whose best possible scores are known.

The world has items of some genres, each with an appeal, and taste clusters. A
cluster likes a few of the genres: it puts their items on a ring, in an order
of its own. A sequence belongs to one cluster, which is not observed. It starts
anywhere on the ring, walks forward, and takes each item it comes to with the
probability that is the item's appeal, until it has its length. So

* given the cluster, the next item depends on the last one alone: a
  first-order transition, p(j | i, c) = appeal(j) x product of (1 - appeal)
  over the items between i and j on the ring of c;
* an item is on the rings of several clusters, with other neighbours on each:
  the last item alone does not tell what comes next, but the first few items
  together tell the cluster;
* the ring is longer than the walk, so no item comes twice in a sequence.

`tfrec/data/oracle.py` computes the best possible ranking.
"""

import dataclasses
from pathlib import Path

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from tfrec.data.config import DataConfig
from tfrec.data.engine import Engine
from tfrec.data.sources.base import Log, Source
from tfrec.data.times import DAY_OF_SECONDS
from tfrec.errors import InputError

# Every item's appeal lies between these.
LEAST_APPEAL, MOST_APPEAL = 0.1, 0.6

GENRES = (
    "Ambient",
    "Baroque",
    "Bluegrass",
    "Blues",
    "Bossa Nova",
    "Country",
    "Disco",
    "Dub",
    "Flamenco",
    "Folk",
    "Funk",
    "Gospel",
    "House",
    "Jazz",
    "Opera",
    "Punk",
    "Reggae",
    "Salsa",
    "Soul",
    "Tango",
)


@dataclasses.dataclass(frozen=True)
class World:
    """The distribution that sequences are drawn from.

    Items and clusters are numbered from 0.

    Attributes:
        titles: Title of each item, [items].
        appeal: Probability that a walk takes the item it comes to, [items].
        prior: Probability of each cluster, [clusters].
        rings: Item at each place of each ring, [clusters, places].
    """

    titles: list[str]
    appeal: np.ndarray
    prior: np.ndarray
    rings: np.ndarray

    @property
    def items(self) -> list[str]:
        """Id of each item: "bossa-nova-017" for "Bossa Nova 017"."""
        return [title.lower().replace(" ", "-") for title in self.titles]

    def sample(
        self, lengths: np.ndarray, longest: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draws sequences.

        Args:
            lengths: The length of each sequence, at most `longest`.
            longest: Number of columns of the result.
            rng: Source of randomness.

        Returns:
            Items [sequences, longest], -1 after the end; the cluster of each
            sequence [sequences].
        """
        count, size = len(lengths), self.rings.shape[1]
        clusters = rng.choice(len(self.prior), count, p=self.prior)
        starts = rng.integers(size, size=count)
        places = (starts[:, None] + np.arange(size)) % size
        passed = self.rings[clusters[:, None], places]
        taken = rng.random(passed.shape) < self.appeal[passed]
        taken[:, 0] = True
        order = taken.cumsum(axis=1) - 1
        row, column = np.nonzero(taken & (order < lengths[:, None]))
        items = np.full((count, longest), -1)
        items[row, order[row, column]] = passed[row, column]
        return items, clusters


def build_world(config: DataConfig) -> World:
    """Draws the world of `config.synthetic_seed`.

    Raises:
        InputError: If there are too few items for sequences so long.
    """
    items = config.synthetic_items
    longest = _length_range(config)[1]
    # A walk takes 0.35 of the items it passes. This is about 6 standard
    # deviations more than the longest passes: none comes round to its start.
    size = 4 * longest + 40
    if size > items:
        raise InputError(
            f"`--synthetic_items` must be at least {size} for sequences of up "
            f"to {longest} interactions. Received: {items}. Give more items, "
            "or a smaller `--synthetic_length`."
        )
    rng = np.random.default_rng([config.synthetic_seed, 0])
    genres = np.array_split(np.arange(items), len(GENRES))
    rings = []
    for _ in range(config.synthetic_clusters):
        order = rng.permutation(len(genres))
        liked = np.concatenate([genres[genre] for genre in order])[:size]
        rings.append(rng.permutation(liked))
    return World(
        titles=[
            f"{name} {number:03d}"
            for name, genre in zip(GENRES, genres, strict=True)
            for number in range(1, len(genre) + 1)
        ],
        appeal=rng.uniform(LEAST_APPEAL, MOST_APPEAL, items),
        prior=rng.dirichlet(np.full(len(rings), 5.0)),
        rings=np.stack(rings),
    )


def _length_range(config: DataConfig) -> tuple[int, int]:
    """Returns the shortest and the longest length, each as likely as any."""
    third = config.synthetic_length // 3
    return config.synthetic_length - third, config.synthetic_length + third


class SyntheticSource(Source):
    """The log of `--dataset=synthetic`, generated from its settings."""

    def files(self, config: DataConfig) -> list[Path]:
        return []

    def read(self, engine: Engine, config: DataConfig) -> Log:
        world = build_world(config)
        rng = np.random.default_rng([config.synthetic_seed, 1])
        shortest, longest = _length_range(config)
        users = config.synthetic_users
        lengths = rng.integers(shortest, longest + 1, size=users)
        # A part at a time: a draw needs memory for all places of the ring.
        items = np.concatenate(
            [
                world.sample(lengths[start : start + _PART], longest, rng)[0]
                for start in range(0, users, _PART)
            ]
        )
        # Each sequence begins some time in a year and goes on every few
        # minutes; together they are the log as a server would have kept it.
        begins = rng.integers(_YEAR, size=(len(items), 1))
        pauses = rng.integers(1, 600, size=items.shape)
        timestamps = _EPOCH + begins + pauses.cumsum(axis=1)
        user, column = np.nonzero(items >= 0)
        order = np.argsort(timestamps[user, column], kind="stable")
        user, column = user[order], column[order]
        log = {
            "sequence": _named(
                [f"user-{u:05d}" for u in range(1, len(items) + 1)], user
            ),
            "item": _named(world.items, items[user, column]),
            "timestamp": timestamps[user, column],
            "position": np.arange(len(user)),
        }
        table = engine.load("interactions", pa.table(log))
        return Log(table, DAY_OF_SECONDS)

    def titles(self, engine: Engine, config: DataConfig) -> ir.Table:
        world = build_world(config)
        titles = {
            "item": world.items,
            "title": world.titles,
            "genre": [title.rpartition(" ")[0] for title in world.titles],
        }
        return engine.load("titles", pa.table(titles))


# Sequences drawn at once: a draw needs memory for every place of the ring.
_PART = 10_000
# Seconds: 1 January 2020, UTC, and a year.
_EPOCH = 1_577_836_800
_YEAR = 365 * DAY_OF_SECONDS


def _named(names: list[str], indices: np.ndarray) -> pa.Array:
    """Returns the string of each index."""
    return pa.array(names).take(pa.array(indices))
