"""Does a SavedModel answer as the model does?"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfrec.batches import Query
from tfrec.models import Recommender
from tfrec.models.base.items import EXCLUDED, exclude
from tfrec.models.base.latent import Latent
from tfrec.serving.finite import check_finite
from tfrec.serving.indexing import Indexed, found_recall, inputs_of
from tfrec.serving.servable import Servable, rows_at_once
from tfrec.serving.warmup import example_inputs
from tfrec.training import Run

_TOLERANCE = 1e-5
# The longest histories, or a few items more than the model reads.
_LONGEST = 200
_MORE = 3
# No item has this id: ids have no tabs.
_UNKNOWN = "\t"
_HISTORIES_AT_ONCE = 128
_RECALL_TOLERANCE = 1e-3


class DisagreementError(RuntimeError):
    """A SavedModel does not answer as its model does."""


def verify(
    servable: Servable,
    run: Run,
    popularity: np.ndarray,
    indexed: Indexed | None = None,
) -> None:
    """Compares every signature with the model, on histories of every length.

    The histories are random, with unknown items among the known ones. An index
    may find others than the best items for these: that they are as many, may
    be recommended, and have the model's scores is compared. What it finds is
    compared for the histories by which it was chosen.

    Args:
        servable: The SavedModel; it replayed its warm-up when it was loaded.
        run: What was exported.
        popularity: float32 `[num_items]`, the expected scores for a history
            without any known item.
        indexed: The index that finds the items, if they are found by one.

    Raises:
        InputError: If a score of the model is not finite.
        DisagreementError: If an answer differs from the model's, or less is
            found than has to be.
    """
    rng = np.random.default_rng(0)
    num_items = run.data.num_items
    longest = min(run.model.config.max_length, _LONGEST) + _MORE
    at_once = rows_at_once(num_items)
    for start in range(0, longest + 1, at_once):
        lengths = range(start, min(start + at_once, longest + 1))
        histories = [rng.integers(1, num_items + 1, n) for n in lengths]
        comparison = _Comparison(
            servable, run, popularity, histories, rng, indexed
        )
        comparison.compare_all()
    if indexed:
        _check_recall(servable, run, indexed)


def _check_recall(servable: Servable, run: Run, indexed: Indexed) -> None:
    signature, found = servable.recommending(), []
    for start in range(0, len(indexed.asked), _HISTORIES_AT_ONCE):
        asked = indexed.asked[start : start + _HISTORIES_AT_ONCE]
        inputs = inputs_of(run, asked)
        found.append(servable.run(signature, inputs, ["scores"])["scores"])
    recall = found_recall(np.concatenate(found), indexed.best)
    least = indexed.report.least_recall
    # Rounding may have put two partitions into another order.
    if recall < least - _RECALL_TOLERANCE:
        raise DisagreementError(
            f"The index of the SavedModel finds {recall:.4f} of the exact "
            f"lists, which has to be {least:g} (`--index_recall`)."
        )


def _logits(model: Recommender) -> Callable[[Query], tf.Tensor]:
    """Returns what gives the logits of all items."""
    products = model.products()
    vectors = products.vectors()
    return lambda query: tf.matmul(
        products.states(query), vectors, transpose_b=True
    )


class _Comparison:
    """The answers of a SavedModel and of its model for some histories."""

    def __init__(self, servable, run, popularity, histories, rng, indexed):
        self._servable = servable
        # The signatures that recommend give the scores that the index has.
        self._ranked = _logits(run.model) if indexed else run.model.score
        self._searched = {"serving_default", "for_user", "among"}
        if not indexed:
            self._searched = set()
        self._model = run.model
        self._data = run.data
        self._vocabulary = run.data.vocabulary
        self._exclude_history = run.data.protocol.exclude_history
        self._popularity = popularity
        self._rng = rng
        self._lengths = np.array([len(row) for row in histories])
        self._known = np.zeros([len(histories), max(1, *self._lengths)], int)
        self._names = []
        for row, known in zip(histories, self._known, strict=True):
            known[: len(row)] = row
            names = self._vocabulary.lookup(row)
            names.insert(rng.integers(len(names) + 1), _UNKNOWN)
            self._names.append(names)
        self._query = Query.of(tf.constant(self._known, tf.int32))

    def compare_all(self) -> None:
        """Compares every signature."""
        scores = self._or_popular(self._model.score(self._query))
        check_finite(scores)
        _, answer = self._ask("serving_default")
        ranked = self._or_popular(self._ranked(self._query))
        self._compare_best("serving_default", answer, ranked)
        inputs, answer = self._ask("score")
        chosen = [self._vocabulary.index(row) for row in inputs["candidates"]]
        expected = np.take_along_axis(scores, np.array(chosen) - 1, 1)
        self._compare("score", answer["scores"], expected)
        inputs, answer = self._ask("among")
        if self._model.knows_users:
            expected = self._of_users(inputs["user"])
        else:
            expected = ranked.copy()
        expected = self._among(expected, inputs["allowed"], inputs["denied"])
        self._compare_best("among", answer, expected)
        if self._model.knows_users:
            inputs, answer = self._ask("for_user")
            expected = self._of_users(inputs["user"])
            self._compare_best("for_user", answer, expected)
        latent = self._model.latent()
        if latent is not None:
            self._compare_latent(latent)

    def _of_users(self, users):
        """Returns the scores for those who ask, or the popular ones."""
        known = np.array(self._data.users.index(users), np.int32)
        scores = self._ranked(self._query._replace(user=known))
        there = (self._lengths > 0) | (known > 0)
        return np.where(there[:, None], scores, self._popularity)

    def _among(self, scores, allowed, denied):
        """Leaves the scores of the items that may be recommended."""
        for row, (some, others) in enumerate(zip(allowed, denied, strict=True)):
            may = np.ones(scores.shape[1], bool)
            if "" not in some:
                may[:] = False
                may[self._vocabulary.index(some) - 1] = True
            may[self._vocabulary.index(others) - 1] = False
            scores[row, ~may] = EXCLUDED
        return scores

    def _compare_latent(self, latent: Latent) -> None:
        _, answer = self._ask("encode")
        there = self._lengths[:, None] > 0
        expected = np.where(there, latent.encode(self._query), 0.0)
        self._compare("encode", answer["latent"], expected)

        inputs, answer = self._ask("sample")
        seeds = tf.constant(inputs["seed"])
        drawn = latent.decode(latent.sample(self._query, seeds), self._query)
        self._compare_best("sample", answer, self._or_popular(drawn))

    def _ask(self, signature):
        """Returns inputs of a signature and the SavedModel's answer."""
        users = self._data.users.items if self._model.knows_users else ()
        inputs = example_inputs(
            signature, self._names, self._vocabulary.items, self._rng, users
        )
        definition = self._servable.signature(signature)
        answer = self._servable.run(definition, inputs, definition.outputs)
        return inputs, answer

    def _or_popular(self, scores):
        return np.where(self._lengths[:, None] > 0, scores, self._popularity)

    def _compare_best(self, signature, answer, scores):
        """Compares k items and their scores with the scores of all items.

        Items of nearly equal scores may have changed places.
        """
        if self._exclude_history:
            scores = exclude(tf.constant(scores), self._query.history).numpy()
        received = answer["scores"]
        k = received.shape[1]
        best = np.sort(np.partition(-scores, k - 1)[:, :k])
        size = 1.0
        if signature in self._searched:
            # Logits that are near 0 are sums of terms that are not.
            size = np.abs(scores[scores > EXCLUDED]).max(initial=1.0)
            # As many, none of them better.
            there = best < -EXCLUDED
            expected = np.where(there, np.minimum(received, -best), EXCLUDED)
            self._compare(signature, received > EXCLUDED, there)
        else:
            expected = -best
        self._compare(signature, received, expected, size)
        names = [[name.decode() for name in row] for row in answer["items"]]
        indices = np.array([self._vocabulary.index(row) for row in names])
        own = np.take_along_axis(scores, np.maximum(indices - 1, 0), 1)
        own = np.where(indices > 0, own, EXCLUDED)
        self._compare(signature, received, own, size)

    def _compare(self, signature, received, expected, size=1.0):
        near = np.isclose(received, expected, _TOLERANCE, size * _TOLERANCE)
        if not near.all():
            row, column = np.argwhere(~near)[0]
            raise DisagreementError(
                f"The SavedModel does not answer as the model does: signature "
                f"{signature}, a history of {self._lengths[row]} items, "
                f"column {column}: expected {expected[row, column]}, received "
                f"{received[row, column]}."
            )
