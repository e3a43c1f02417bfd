"""The signatures of an exported model: strings in, strings out."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfrec.batches import Query
from tfrec.metrics.ranking import set_scores
from tfrec.models import Recommender
from tfrec.models.base.items import EXCLUDED, exclude
from tfrec.serving.id_tables import ids_of_numbers, numbers_of_ids
from tfrec.serving.inputs import Among, is_there, matched
from tfrec.serving.rows import rows_of
from tfrec.serving.top_items import top_items
from tfrec.serving.tracing import trace

_HISTORY = tf.TensorSpec([None, None], tf.string, "history")
_CANDIDATES = tf.TensorSpec([None, None], tf.string, "candidates")
_SEED = tf.TensorSpec([None, 2], tf.int64, "seed")
_USER = tf.TensorSpec([None], tf.string, "user")
_ALLOWED = tf.TensorSpec([None, None], tf.string, "allowed")
_DENIED = tf.TensorSpec([None, None], tf.string, "denied")


class Signatures(tf.Module):
    """What a SavedModel answers, in plain TensorFlow ops around a model.

    Inputs are dense, padded with "" anywhere; unknown items count as padding.
    A history without any known item is answered with the most popular items.
    Where there are fewer than `k` items to recommend, "" with the lowest
    score fills the list.

    Args:
        model: A trained model; its weights are tracked, not its optimizers.
        vocabulary: File whose line n is the item with index n; the SavedModel
            keeps a copy of it as an asset.
        popularity: float32 `[num_items]`, the log-probability of each item to
            come next where nothing else is known.
        k: Number of items to recommend, at most the number of items.
        exclude_history: Whether items of a history are not recommended.
        users: File whose line n is the user with index n, for a model that
            knows users.
    """

    def __init__(
        self,
        model: Recommender,
        vocabulary: Path,
        popularity: tf.Tensor,
        k: int,
        exclude_history: bool,
        users: Path | None = None,
    ):
        super().__init__()
        # Behind a function, so that the SavedModel does not get the state of
        # the optimizers too.
        self._model = lambda: model
        self.k = k
        self.exclude_history = exclude_history
        self.popularity = tf.Variable(popularity, trainable=False)
        self._popular = tf.math.top_k(popularity, k)
        # Attributes of the module, or a SavedModel would not track them.
        self.column_of = numbers_of_ids(vocabulary)
        if users:
            self.user_at = numbers_of_ids(users)
        self.item_at = ids_of_numbers(vocabulary)

    def trace(self) -> dict[str, Callable[..., dict[str, tf.Tensor]]]:
        """Traces every signature that the model has, by name.

        Raises:
            ValueError: If the model needs an op that is not portable.
        """
        model = self._model()
        with contextlib.ExitStack() as stack:
            self._frozen = stack.enter_context(self._freeze(model))
            # Traced once for all signatures.
            score = tf.function(model.score, autograph=False)
            self._score = lambda query: score(query)
            among = [_HISTORY, _ALLOWED, _DENIED]
            traced = {
                "serving_default": trace(self.recommend, _HISTORY),
                "score": trace(self.score, _HISTORY, _CANDIDATES),
            }
            if model.knows_users:
                among.append(_USER)
                traced["for_user"] = trace(self.for_user, _HISTORY, _USER)
            traced["among"] = trace(self.among, *among)
            if model.latent() is not None:
                traced["sample"] = trace(self.sample, _HISTORY, _SEED)
                traced["encode"] = trace(self.encode, _HISTORY)
        # Those that serving reads: not the adversary's.
        self.weights = list(
            {
                id(variable): variable
                for function in traced.values()
                for variable in function.graph.variables
            }.values()
        )
        return traced

    def recommend(self, history: tf.Tensor) -> dict[str, tf.Tensor]:
        """Recommends the best items after each history.

        Args:
            history: string `[batch, length]`, oldest item first.

        Returns:
            `items`, string `[batch, k]`, best first, and `scores`, float32
            `[batch, k]`, their log-probabilities.
        """
        return self._recommended(*self._asked(history))

    def for_user(
        self, history: tf.Tensor, user: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Recommends as `recommend` does, to a user whom the model may know.

        `recommend` answers everyone as it does the mean of all users, and so
        does this where the user was not in the training. A signature of its
        own, because a server takes no request that lacks an input.

        Args:
            history: string `[batch, length]`, oldest item first.
            user: string `[batch]`.
        """
        return self._recommended(*self._asked(history, user))

    def among(
        self,
        history: tf.Tensor,
        allowed: tf.Tensor,
        denied: tf.Tensor,
        user: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        """Recommends as `recommend` does, some items only, or all but some.

        The scores stay what they are among all items. A model that knows users
        is told who asks, "" for nobody known.

        Args:
            history: string `[batch, length]`, oldest item first.
            allowed: string `[batch, n]`, the items that may be recommended;
                all of them in a row that names none.
            denied: string `[batch, m]`, the items that may not.
            user: string `[batch]`, for a model that knows users.
        """
        history = matched(history, allowed, "allowed")
        history = matched(history, denied, "denied")
        among = Among(
            self._indices(allowed),
            # A row of items that are all unknown allows nothing.
            tf.reduce_any(allowed != "", 1, keepdims=True),
            self._indices(denied),
        )
        return self._recommended_among(*self._asked(history, user), among)

    def sample(
        self, history: tf.Tensor, seed: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Recommends as `recommend` does, from one draw of the posterior.

        A row's draw depends on its history and seed alone.

        Args:
            history: string `[batch, length]`, oldest item first.
            seed: int64 `[batch, 2]`.
        """
        history = matched(history, seed, "seed")
        latent, query = self._model().latent(), Query.of(self._known(history))
        scores = latent.decode(latent.sample(query, seed), query)
        return self._best(scores, query.history)

    def score(
        self, history: tf.Tensor, candidates: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Scores given items after each history, those of the history too.

        Args:
            history: string `[batch, length]`, oldest item first.
            candidates: string `[batch, n]`.

        Returns:
            `scores`, float32 `[batch, n]`: log-probabilities among all items;
            the lowest float32 for an unknown candidate, and for one of the
            history where the model was trained with `exclude_history`.
        """
        history = matched(history, candidates, "candidates")
        known, chosen = self._known(history), self._indices(candidates)
        columns = tf.maximum(chosen - 1, 0)
        scores = tf.where(
            is_there(known),
            tf.gather(self._score(Query.of(known)), columns, batch_dims=1),
            rows_of(self.popularity, columns),
        )
        return {"scores": tf.where(chosen > 0, scores, EXCLUDED)}

    def encode(self, history: tf.Tensor) -> dict[str, tf.Tensor]:
        """Encodes each history.

        Args:
            history: string `[batch, length]`, oldest item first.

        Returns:
            `latent`, float32 `[batch, dim]`, the noise-free latent; zeros, the
            mean of the prior, without any known item.
        """
        known = self._known(history)
        latent = self._model().latent().encode(Query.of(known))
        return {"latent": tf.where(is_there(known), latent, 0.0)}

    def _freeze(
        self, model: Recommender
    ) -> contextlib.AbstractContextManager[Any]:
        """Returns in what the signatures are traced, see `frozen`."""
        return model.frozen()

    def _recommended(
        self, query: Query, there: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Returns the best items for what is asked, see `_asked`."""
        return self._best(self._score(query), query.history, there)

    def _recommended_among(
        self, query: Query, there: tf.Tensor, among: Among
    ) -> dict[str, tf.Tensor]:
        """Returns the best of the items that may be recommended."""
        scores = tf.where(there, self._score(query), self.popularity)
        inside = set_scores(tf.zeros_like(scores), among.allowed, 1.0)
        scores = tf.where(among.named & (inside == 0.0), EXCLUDED, scores)
        scores = exclude(scores, among.denied)
        return self._best(scores, query.history, tf.constant([[True]]))

    def _asked(
        self, history: tf.Tensor, user: tf.Tensor | None = None
    ) -> tuple[Query, tf.Tensor]:
        """Returns what is asked, and where there is something to go by."""
        if user is None:
            query = Query.of(self._known(history))
            return query, is_there(query.history)
        history = matched(history, user, "user")
        index = tf.cast(self.user_at.lookup(user) + 1, tf.int32)
        query = Query(self._known(history), index)
        return query, is_there(query.history) | (index[:, None] > 0)

    def _indices(self, items: tf.Tensor) -> tf.Tensor:
        """Returns the index of each item, int32, 0 where it is unknown."""
        return tf.cast(self.column_of.lookup(items) + 1, tf.int32)

    def _known(self, history: tf.Tensor) -> tf.Tensor:
        """Returns the indices of the known items, int32, 0 at the end.

        At least one column, so that no model meets an empty batch.
        """
        indices = self._indices(history)
        known = tf.ragged.boolean_mask(indices, indices > 0).to_tensor()
        lacking = tf.cast(tf.shape(known)[1] == 0, tf.int32)
        return tf.pad(known, [[0, 0], [0, lacking]])

    def _best(
        self,
        scores: tf.Tensor,
        known: tf.Tensor,
        there: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        """Names the k best of the scores, or the most popular items.

        Args:
            scores: float32 `[batch, num_items]`.
            known: int32 `[batch, length]`, the known items of the history.
            there: bool `[batch, 1]`, whether there is something to go by; by
                default a known item.
        """
        if self.exclude_history:
            scores = exclude(scores, known)
        scores = tf.ensure_shape(scores, [None, *self.popularity.shape])
        scores, columns = top_items(scores, self.k)
        there = is_there(known) if there is None else there
        return self._listed(
            tf.where(there, scores, self._popular.values),
            tf.where(there, columns, self._popular.indices),
        )

    def _listed(
        self, scores: tf.Tensor, columns: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Names the items of columns, "" where none is left."""
        items = self.item_at.lookup(tf.cast(columns, tf.int64))
        return {
            "items": tf.where(scores > EXCLUDED, items, ""),
            "scores": scores,
        }
