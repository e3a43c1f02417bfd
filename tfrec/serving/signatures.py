"""The signatures of an exported model: strings in, strings out."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from tfrec.batches import Query
from tfrec.models import Recommender
from tfrec.models.base.items import EXCLUDED, exclude
from tfrec.serving.top_items import top_items

# Ops that not every TensorFlow Serving runs on every processor.
_NOT_PORTABLE = ("Xla", "PyFunc", "EagerPyFunc", "Cudnn", "Collective")

_HISTORY = tf.TensorSpec([None, None], tf.string, "history")
_CANDIDATES = tf.TensorSpec([None, None], tf.string, "candidates")
_SEED = tf.TensorSpec([None, 2], tf.int64, "seed")
_USER = tf.TensorSpec([None], tf.string, "user")


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
        line, number = (
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        path = str(vocabulary)

        def numbers(path):
            return tf.lookup.StaticHashTable(
                tf.lookup.TextFileInitializer(
                    path, tf.string, line, tf.int64, number
                ),
                default_value=-1,
            )

        self.column_of = numbers(path)
        if users:
            self.user_at = numbers(str(users))
        self.item_at = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                path, tf.int64, number, tf.string, line
            ),
            default_value="",
        )

    def trace(self) -> dict[str, Callable[..., dict[str, tf.Tensor]]]:
        """Traces every signature that the model has, by name.

        Raises:
            ValueError: If the model needs an op that is not portable.
        """
        model = self._model()
        with contextlib.ExitStack() as stack:
            self._frozen = stack.enter_context(model.frozen())
            traced = {
                "serving_default": _trace(self.recommend, _HISTORY),
                "score": _trace(self.score, _HISTORY, _CANDIDATES),
            }
            if model.knows_users:
                traced["for_user"] = _trace(self.for_user, _HISTORY, _USER)
            if model.latent() is not None:
                traced["sample"] = _trace(self.sample, _HISTORY, _SEED)
                traced["encode"] = _trace(self.encode, _HISTORY)
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
        query = Query.of(self._known(history))
        return self._best(self._model().score(query), query.history)

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
        history = _matched(history, user, "user")
        index = tf.cast(self.user_at.lookup(user) + 1, tf.int32)
        query = Query(self._known(history), index)
        there = _is_there(query.history) | (index[:, None] > 0)
        return self._best(self._model().score(query), query.history, there)

    def sample(
        self, history: tf.Tensor, seed: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Recommends as `recommend` does, from one draw of the posterior.

        A row's draw depends on its history and seed alone.

        Args:
            history: string `[batch, length]`, oldest item first.
            seed: int64 `[batch, 2]`.
        """
        history = _matched(history, seed, "seed")
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
        history = _matched(history, candidates, "candidates")
        known, chosen = self._known(history), self._indices(candidates)
        columns = tf.maximum(chosen - 1, 0)
        scores = tf.where(
            _is_there(known),
            tf.gather(
                self._model().score(Query.of(known)), columns, batch_dims=1
            ),
            tf.gather(self.popularity, columns),
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
        return {"latent": tf.where(_is_there(known), latent, 0.0)}

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
        there = _is_there(known) if there is None else there
        scores = tf.where(there, scores, self._popular.values)
        columns = tf.where(there, columns, self._popular.indices)
        items = self.item_at.lookup(tf.cast(columns, tf.int64))
        return {
            "items": tf.where(scores > EXCLUDED, items, ""),
            "scores": scores,
        }


def _matched(history: tf.Tensor, other: tf.Tensor, name: str) -> tf.Tensor:
    """Returns the history, once it is checked that both have as many rows."""
    check = tf.debugging.assert_equal(
        tf.shape(history)[0],
        tf.shape(other)[0],
        f"`{name}` must have a row for each row of `history`.",
    )
    # Or what fails for the same reason might come first.
    with tf.control_dependencies([check]):
        return tf.identity(history)


def _is_there(known: tf.Tensor) -> tf.Tensor:
    """Returns which rows have an item, bool `[batch, 1]`."""
    return known[:, :1] > 0


def _trace(method: Callable, *inputs: tf.TensorSpec) -> Callable:
    """Traces a method for any batch and length.

    Raises:
        ValueError: If it holds an op that is not portable.
    """
    traced = tf.function(method, autograph=False).get_concrete_function(*inputs)
    graph = traced.graph.as_graph_def()
    nodes = [
        *graph.node,
        *(n for f in graph.library.function for n in f.node_def),
    ]
    for node in nodes:
        compiled = node.attr["_XlaMustCompile"].b
        if compiled or node.op.startswith(_NOT_PORTABLE):
            raise ValueError(
                f"`{method.__name__}` needs the op {node.op}, which TensorFlow "
                "Serving may not have. Export in a process without a GPU and "
                "without XLA: CUDA_VISIBLE_DEVICES= ."
            )
    return traced
