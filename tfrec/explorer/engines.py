"""What answers: a run on this machine, or a model of a server."""

import dataclasses
import itertools
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from tfrec.batches import UNKNOWN_USER, Query
from tfrec.explorer.catalogue import Catalogue
from tfrec.explorer.layout import Layout, cached_layout
from tfrec.metrics.ranking import NEVER, target_ranks
from tfrec.models.base.items import exclude
from tfrec.serving import client
from tfrec.shapes import fixed_size
from tfrec.training import Run

# Draws of the latent, and the share of them that an interval holds.
DRAWS = 32
_QUANTILES = (0.05, 0.95)
# Scores that are held at once.
_MOST_SCORES = 8_000_000
# Histories in a request to a server.
_ROWS = 64


class Recommended(NamedTuple):
    """What comes after a history.

    Attributes:
        items: Ids, best first.
        scores: Log-probabilities.
        ranks: Of each item asked for: its rank, or None for one that is not
            ranked or, with a server, not in its list.
    """

    items: list[str]
    scores: list[float]
    ranks: list[int | None]


class Engine(Protocol):
    """Answers for one model.

    Attributes:
        name: What the page calls it.
        about: What is known of it, in words, by name.
        has_latent: Whether `spread` answers.
        has_map: Whether `layout` answers.
    """

    name: str
    about: dict[str, str]
    has_latent: bool
    has_map: bool

    def recommend(
        self, history: Sequence[str], user: str, k: int, wanted: Sequence[str]
    ) -> Recommended:
        """Recommends after a history; unknown items are skipped."""

    def without(
        self, history: Sequence[str], user: str, items: Sequence[str]
    ) -> list[list[float | None]]:
        """Returns the score of each item without each item of the history.

        Returns:
            A row for each item of the history, a column for each of `items`;
            None where it is not known, as of an unknown item.
        """


class RunEngine:
    """A run on this machine; see `Engine`."""

    has_map = True

    def __init__(self, run: Run, name: str):
        self.name = name
        self.about = {
            "model": run.config.model,
            "run": str(run.folder),
            "data": str(run.data.data_dir),
        }
        self._run = run
        self._latent = run.model.latent()
        self.has_latent = self._latent is not None
        self._layout: Layout | None = None
        # TensorFlow runs one function on all cores.
        self._lock = threading.Lock()
        # One trace for all shapes.
        query = Query(
            tf.TensorSpec([None, None], tf.int32),
            tf.TensorSpec([None], tf.int32),
        )
        columns = tf.TensorSpec([None], tf.int32)
        self._score = tf.function(run.model.score, [query], autograph=False)
        self._draw = tf.function(
            self._scores_of_draws, [query, columns], autograph=False
        )

    def recommend(
        self, history: Sequence[str], user: str, k: int, wanted: Sequence[str]
    ) -> Recommended:
        """See `Engine`."""
        query = self._query([history], user)
        scores = self._scores(query)
        excluded = query.history
        if not self._run.data.protocol.exclude_history:
            excluded = excluded[:, :0]
        choice = self._run.data.num_items - len(set(excluded[0].numpy()) - {0})
        best = tf.math.top_k(exclude(scores, excluded), min(k, choice))
        indices = self._run.data.vocabulary.index(wanted)
        targets = tf.constant(indices[indices > 0][None], tf.int32)
        found = target_ranks(scores, targets, excluded)[0].numpy().tolist()
        ranks = [found.pop(0) if index else NEVER for index in indices]
        # Fewer than k where a model leaves out more than the protocol does.
        possible = best.values[0].numpy() > tf.float32.min
        return Recommended(
            self._run.data.vocabulary.lookup(
                best.indices[0].numpy()[possible] + 1
            ),
            best.values[0].numpy()[possible].tolist(),
            [None if rank == NEVER else rank for rank in ranks],
        )

    def without(
        self, history: Sequence[str], user: str, items: Sequence[str]
    ) -> list[list[float | None]]:
        """See `Engine`."""
        columns = self._run.data.vocabulary.index(items) - 1
        left = [
            [*history[:place], *history[place + 1 :]]
            for place in range(len(history))
        ]
        rows: list[list[float | None]] = []
        at_once = max(1, _MOST_SCORES // self._run.data.num_items)
        for start in range(0, len(left), at_once):
            block = left[start : start + at_once]
            # A query may have more rows than histories.
            scores = self._scores(self._query(block, user))[: len(block)]
            rows += [
                [_known(*each) for each in zip(columns, row, strict=True)]
                for row in scores.numpy()[:, columns].tolist()
            ]
        return rows

    def spread(
        self, history: Sequence[str], user: str, items: Sequence[str]
    ) -> list[tuple[float | None, float | None]]:
        """Returns where 90% of the scores of `DRAWS` draws of the latent lie.

        Args:
            history: Ids, oldest first.
            user: Id of who asks, or "".
            items: Ids of the items that are scored; None of an unknown one.
        """
        columns = self._run.data.vocabulary.index(items) - 1
        query = self._query([history], user)
        gathered = tf.constant(np.maximum(columns, 0), tf.int32)
        with self._lock:
            scores = self._draw(query, gathered).numpy()
        low, high = np.quantile(scores, _QUANTILES, axis=0)
        return [
            (_known(column, a), _known(column, b))
            for column, a, b in zip(
                columns, low.tolist(), high.tolist(), strict=True
            )
        ]

    def layout(self, catalogue: Catalogue) -> Layout:
        """Returns the map of the items; see `cached_layout`."""
        run = self._run
        with self._lock:
            if self._layout is None:
                self._layout = cached_layout(
                    run.folder, run.model, run.data, catalogue.counts
                )
            return self._layout

    def warm_up(self) -> None:
        """Traces what the first click would wait for."""
        some = self._run.data.vocabulary.items[:2]
        answer = self.recommend(some, "", 10, ())
        if self.has_latent:
            self.spread(some, "", answer.items)

    def _scores(self, query: Query) -> tf.Tensor:
        with self._lock:
            return self._score(query)

    def _scores_of_draws(self, query: Query, columns: tf.Tensor) -> tf.Tensor:
        """Returns the scores of some items for each draw, `[DRAWS, n]`."""
        many = Query(*(tf.repeat(part, DRAWS, 0) for part in query))
        numbers = tf.range(DRAWS, dtype=tf.int64)
        seeds = tf.stack([tf.zeros_like(numbers), numbers], 1)
        latents = self._latent.sample(many, seeds)
        scores = self._latent.decode(latents, many)
        return tf.gather(scores, columns, axis=1)

    def _query(self, histories: Sequence[Sequence[str]], user: str) -> Query:
        """Makes a query of ids, of one of a few shapes."""
        index = self._run.data.vocabulary.index
        known = [row[row > 0] for row in map(index, histories)]
        longest = max(map(len, known), default=0)
        shape = [int(fixed_size(tf.constant(n))) for n in (len(known), longest)]
        padded = np.zeros([shape[0], max(shape[1], 1)], np.int32)
        for row, items in zip(padded, known, strict=False):
            row[: len(items)] = items
        who = UNKNOWN_USER
        if user and self._run.model.knows_users:
            who = int(self._run.data.users.index([user])[0])
        return Query.of(tf.constant(padded), tf.fill([len(padded)], who))


@dataclasses.dataclass(frozen=True)
class ServerEngine:
    """A model that a server serves; see `Engine`.

    It gives lists, and no more: no spread and no map. It is asked without the
    user.

    Attributes:
        server: host:port of its gRPC port.
        model: The model's name there.
        timeout: Seconds to wait for an answer.
    """

    server: str
    model: str
    timeout: float
    has_latent = False
    has_map = False

    @property
    def name(self) -> str:
        """See `Engine`."""
        return f"{self.model} at {self.server}"

    @property
    def about(self) -> dict[str, str]:
        """See `Engine`."""
        return {"model": self.model, "server": self.server}

    def recommend(
        self, history: Sequence[str], user: str, k: int, wanted: Sequence[str]
    ) -> Recommended:
        """See `Engine`."""
        (answer,) = self._ask([history])
        places = {item: rank for rank, (item, _) in enumerate(answer, 1)}
        shown = answer[:k]
        return Recommended(
            [item for item, _ in shown],
            [score for _, score in shown],
            [places.get(item) for item in wanted],
        )

    def without(
        self, history: Sequence[str], user: str, items: Sequence[str]
    ) -> list[list[float | None]]:
        """See `Engine`."""
        if not history:
            return []
        left = [
            [*history[:place], *history[place + 1 :]]
            for place in range(len(history))
        ]
        # A server takes so many rows in a request, ours by default 128.
        blocks = [
            left[start : start + _ROWS] for start in range(0, len(left), _ROWS)
        ]
        answers = itertools.chain.from_iterable(map(self._ask, blocks))
        return [
            [dict(answer).get(item) for item in items] for answer in answers
        ]

    def _ask(
        self, histories: Sequence[Sequence[str]]
    ) -> list[list[tuple[str, float]]]:
        # Nothing tells whether the model there knows users.
        return client.recommend_many(
            self.server, self.model, histories, timeout=self.timeout
        )


def _known(column: int, score: float) -> float | None:
    """Returns a score as JSON can hold it; None of an unknown item, of -1."""
    known = column >= 0 and np.isfinite(score) and score > tf.float32.min
    return score if known else None


def describe(engine: Engine) -> dict[str, Any]:
    """Returns what the page is told of an engine."""
    return {
        "name": engine.name,
        "about": engine.about,
        "latent": engine.has_latent,
        "map": engine.has_map,
    }
