"""Lists of a run on this machine."""

import functools
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfrec.batches import UNKNOWN_USER, Query
from tfrec.data.histories import History
from tfrec.errors import InputError
from tfrec.lists.candidates import Candidates
from tfrec.lists.source import Listed, batches
from tfrec.models.base.items import EXCLUDED, exclude
from tfrec.serving.exporting import popular_scores
from tfrec.serving.top_items import top_items
from tfrec.shapes import fixed_size
from tfrec.training import Run

# Items looked at first for each one in the list, where groups have limits.
_LOOKED_AT = 4


class RunSource:
    """A run on this machine; see `Source`.

    Args:
        run: A trained run.
        k: Number of items of a list.
        candidates: What a list may hold; everything by default.

    Raises:
        InputError: If there are fewer than `k` candidates.
    """

    def __init__(self, run: Run, k: int, candidates: Candidates | None = None):
        self.data = run.data
        self._run, self._model, self._k = run, run.model, k
        self._candidates = candidates or Candidates()
        columns = self._candidates.columns
        self._choice = run.data.num_items if columns is None else len(columns)
        if k > self._choice:
            raise InputError(
                f"`--k` must be at most {self._choice}, the number of items "
                f"that may be recommended. Received: {k}."
            )
        self._exclude_history = run.data.protocol.exclude_history
        # One trace for all shapes.
        query = Query(
            tf.TensorSpec([None, None], tf.int32),
            tf.TensorSpec([None], tf.int32),
        )
        with run.model.frozen() as self._frozen:
            self._score = tf.function(
                self._scores, autograph=False
            ).get_concrete_function(query)
        self._best = tf.function(
            self._best_columns, autograph=False, reduce_retracing=True
        )

    @functools.cached_property
    def identity(self) -> dict[str, Any]:
        """See `Source`: the weights, and the settings beside them."""
        digest = hashlib.sha256()
        for variable in (*self._model.weights, *self._model.tables.values()):
            digest.update(np.ascontiguousarray(variable.numpy()))
        return {
            "model": self._run.config.model,
            "settings": self._model.config.to_dict(),
            "weights": digest.hexdigest(),
            # Whose interactions say what is popular.
            "fit_on": self._run.config.fit_on,
        }

    def best(self, histories: Sequence[History]) -> list[Listed]:
        """See `Source`.

        Histories without an item, of users that the model does not know, get
        the most popular items, as they do from a server.
        """
        answers: list[Listed | None] = [None] * len(histories)
        for rows in batches(histories, self.data.num_items):
            query = self._query([histories[row] for row in rows])
            scores = self._score(*query)[: len(rows)]
            lonely = (query.history[:, 0] == 0) & (query.user == UNKNOWN_USER)
            lonely = lonely[: len(rows), None]
            if tf.reduce_any(lonely):
                scores = tf.where(lonely, self._popularity, scores)
            found = self._lists(scores, min(self._choice, self._first))
            for row, answer in zip(rows, found, strict=True):
                answers[row] = answer
        return answers

    @property
    def _first(self) -> int:
        """How many of the best items are looked at first."""
        limited = self._candidates.groups is not None
        return _LOOKED_AT * self._k if limited else self._k

    @functools.cached_property
    def _popularity(self) -> np.ndarray:
        return popular_scores(self.data, self._run.config.fit_on)

    def _scores(self, query: Query) -> tf.Tensor:
        scores = self._model.score(query)
        if self._exclude_history:
            scores = exclude(scores, query.history)
        return tf.ensure_shape(scores, [None, self.data.num_items])

    def _best_columns(
        self, scores: tf.Tensor, count: int
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the best scores of the candidates, and their columns."""
        columns = self._candidates.columns
        if columns is None:
            return top_items(scores, count)
        values, places = top_items(tf.gather(scores, columns, axis=1), count)
        return values, tf.gather(columns, places)

    def _lists(self, scores: tf.Tensor, count: int) -> list[Listed]:
        """Makes the list of each row from its `count` best, or from more."""
        values, columns = (part.numpy() for part in self._best(scores, count))
        items = self.data.vocabulary.items
        answers, short = [], []
        for row, (best, own) in enumerate(zip(values, columns, strict=True)):
            own = own[best > EXCLUDED]
            picked = self._candidates.pick(own, self._k)
            if len(picked) < self._k and len(own) == count < self._choice:
                short.append(row)
            answers.append(
                Listed(
                    [items[column] for column in own[picked]],
                    best[picked].tolist(),
                )
            )
        if short:
            more = min(self._choice, _LOOKED_AT * count)
            again = self._lists(tf.gather(scores, short), more)
            for row, answer in zip(short, again, strict=True):
                answers[row] = answer
        return answers

    def _query(self, histories: Sequence[History]) -> Query:
        """Makes a query of one of a few shapes; rows of padding follow."""
        longest = max(len(history.items) for history in histories)
        shape = [
            int(fixed_size(tf.constant(n))) for n in (len(histories), longest)
        ]
        padded = np.zeros([shape[0], max(shape[1], 1)], np.int32)
        users = np.full(shape[0], UNKNOWN_USER, np.int32)
        for row, history in enumerate(histories):
            padded[row, : len(history.items)] = history.items
            if self._model.knows_users:
                users[row] = history.user
        return Query(tf.constant(padded), tf.constant(users))
