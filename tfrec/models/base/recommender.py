"""The base of every model: score, evaluate, recommend."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfrec.batches import EvaluationBatch, Query, TrainingBatch, as_query
from tfrec.errors import InputError
from tfrec.metrics.ranking import (
    best_in_blocks,
    ranking_metrics,
    set_scores,
    target_ranks_in_blocks,
)
from tfrec.models.base.contract import Contract
from tfrec.models.base.items import as_histories, exclude
from tfrec.settings import Settings


class Recommender(Contract):
    """A model that ranks every item after a history of items.

    A subclass implements `score` and `train_step`, and names its settings
    dataclass in `config_class`; fitting, evaluation and recommendation follow.
    What else it can do, it declares: see `Contract`.

    Args:
        num_items: Number of items in the vocabulary, padding not counted.
        config: Settings of the model; its defaults when absent.
        num_users: Number of users, for a model that `needs_user`.

    Raises:
        InputError: If Keras's global policy computes in another type than
            float32.

    Example:

        model = ACVAE(data.num_items)
        model.compile()
        model.fit(data.training(), epochs=5)
        model.evaluate(data.evaluation("test"))
        items, scores = model.recommend([[3, 1, 4]], k=10)
    """

    def __init__(
        self,
        num_items: int,
        config: Settings | None = None,
        num_users: int = 0,
    ):
        super().__init__(name=type(self).__name__.lower())
        if num_items < 1:
            raise ValueError(
                f"`num_items` must be at least 1. Received: {num_items}."
            )
        if self.compute_dtype != "float32":
            raise InputError(
                f"Keras's global policy `{keras.config.dtype_policy().name}` "
                f"would compute in {self.compute_dtype}; the objectives need "
                "float32. Set the policy back, and `matmul_dtype` of the model "
                "to bfloat16: its largest products are then taken in it."
            )
        self.num_items = num_items
        self.num_users = num_users
        self.config = config or self.config_class()
        self.optimizers: dict[str, keras.optimizers.Optimizer] = {}

    def count_params(self) -> int:
        """Returns the number of all weights, and of what the tables hold."""
        sizes = [int(tf.size(table)) for table in self.tables.values()]
        return super().count_params() + sum(sizes)

    def save_own_variables(self, store: dict[str, Any]) -> None:
        """Adds the tables to what `save_weights` saves."""
        super().save_own_variables(store)
        for name, table in self.tables.items():
            store[name] = table.numpy()

    def load_own_variables(self, store: dict[str, Any]) -> None:
        """Reads what `save_own_variables` saved."""
        weights = {k: store[k] for k in store.keys() - self.tables.keys()}
        super().load_own_variables(weights)
        for name, table in self.tables.items():
            table.assign(store[name][...])

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` makes the model from."""
        return {
            "num_items": self.num_items,
            "config": self.config.to_dict(),
            "num_users": self.num_users,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Any = None
    ) -> "Recommender":
        """Makes a model from what `get_config` returned."""
        del custom_objects
        settings = cls.config_class.from_dict(config["config"])
        return cls(config["num_items"], settings, config["num_users"])

    def compile(
        self,
        optimizer: Any = None,
        metrics: Sequence[Any] | None = None,
        cutoffs: Sequence[int] = (5, 10, 20),
        evaluation_block_items: int = 131_072,
        schedule: Callable[..., Any] | None = None,
        loss: Any = None,
        jit_compile: bool = False,
        **kwargs: Any,
    ) -> None:
        """Prepares the model for `fit` and `evaluate`.

        A subclass creates the variables of its optimizers here: made later, in
        the first step, they fail under a distribution strategy.

        Args:
            optimizer: For what is learned.
            metrics: Keras metrics that `evaluate` updates too, with
                `y_true`, float32 `[batch, num_items]`, 1 at the targets, and
                `y_pred`, the scores, lowest where an item is not ranked.
            cutoffs: The k of recall@k, ndcg@k and mrr@k.
            evaluation_block_items: Items that `evaluate` scores at once, which
                bounds its memory and changes no number.
            schedule: Makes a Keras schedule from a learning rate.
            loss: Must be None: the model has an objective of its own.
            jit_compile: Whether XLA compiles the steps. Keras would choose it
                on a GPU, but it compiles no shapes that depend on the data.
            **kwargs: Passed to `keras.Model.compile`.

        Raises:
            InputError: If `cutoffs` or `evaluation_block_items` are no
                positive integers, a loss is given, or a schedule to a model
                that has no learning rate.
        """
        if evaluation_block_items < 1:
            raise InputError(
                "`evaluation_block_items` must be at least 1. Received: "
                f"{evaluation_block_items}."
            )
        if loss is not None:
            raise InputError(
                f"`loss` must be None: {type(self).__name__} trains on an "
                f"objective of its own. Received: {loss!r}."
            )
        if schedule and optimizer is None:
            raise InputError(
                "`--learning_rate_schedule` means nothing with "
                f"{type(self).__name__}, which has no learning rate. Remove it."
            )
        super().compile(
            optimizer=optimizer,
            metrics=metrics,
            jit_compile=jit_compile,
            **kwargs,
        )
        self.evaluation_block_items = evaluation_block_items
        self.cutoffs = tuple(cutoffs)
        self.ranking_metrics = ranking_metrics(cutoffs)
        # In float64, which counts exactly beyond 16 million.
        self.tokens = keras.metrics.Sum("tokens", dtype="float64")

    def get_compile_config(self) -> dict[str, Any]:
        """Returns what `compile_from_config` compiles the model from."""
        return {
            "cutoffs": list(self.cutoffs),
            "evaluation_block_items": self.evaluation_block_items,
        }

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles the model as it was when it was saved."""
        self.compile(**config)

    def fit(self, x: Any = None, **kwargs: Any) -> keras.callbacks.History:
        """Trains; before that, counts what has to be counted.

        With `ema_momentum` it ends with the average of the weights, and what
        callbacks read, save or set is the average; `score` and `recommend`
        within it have the weights.

        Args:
            x: Dataset of `TrainingBatch`.
            **kwargs: For `keras.Model.fit`.

        Raises:
            InputError: If `adapt` is needed and `x` cannot be read for it.
        """
        if self.needs_adapt:
            batches = x
            if isinstance(x, tf.data.Dataset) and kwargs.get("steps_per_epoch"):
                batches = x.take(kwargs["steps_per_epoch"])
            if (
                not isinstance(batches, tf.data.Dataset)
                or batches.cardinality() == tf.data.INFINITE_CARDINALITY
            ):
                raise InputError(
                    f"{type(self).__name__} counts the items of an epoch "
                    "before it trains. Call `adapt` with one epoch of batches "
                    "before `fit`."
                )
            self.adapt(batches)
        with self.in_training():
            return super().fit(x, **kwargs)

    def count_tokens(self, batch: TrainingBatch) -> None:
        """Counts the items to predict; each `train_step` calls it."""
        self.tokens.update_state(tf.math.count_nonzero(batch.targets))

    # Where no function is traced, loops would convert what they are given.
    @tf.autograph.experimental.do_not_convert
    def rank(
        self, batch: EvaluationBatch, k: int = 0
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Ranks the targets of a batch, and finds the items ranked first.

        Args:
            batch: Histories, targets and what is not ranked.
            k: How many of the first to find.

        Returns:
            The ranks, see `target_ranks_in_blocks`; and the first items, int32
            `[batch, k]`, see `best_in_blocks`.
        """
        score = self.block_scores(batch.query)
        blocks = self.num_items, self.evaluation_block_items
        if self.num_items <= self.evaluation_block_items:
            # Both read the same scores.
            scores = score(0, self.num_items)
            score = lambda start, stop: scores  # noqa: E731
        ranks = target_ranks_in_blocks(
            score, *blocks, batch.targets, batch.excluded
        )
        if not k:
            return ranks, tf.zeros_like(batch.history[:, :0])
        return ranks, best_in_blocks(score, *blocks, batch.excluded, k)

    def test_step(self, batch: EvaluationBatch) -> dict[str, tf.Tensor]:
        """Ranks the targets of one evaluation batch among all items."""
        ranks, _ = self.rank(batch)
        for metric in self.ranking_metrics:
            metric.update_state(ranks)
        logs = {m.name: m.result() for m in self.ranking_metrics}
        given = self._compile_metrics
        if given is not None:
            scores = exclude(self.score(batch.query), batch.excluded)
            known = tf.where(batch.targets > self.num_items, 0, batch.targets)
            relevant = set_scores(tf.zeros_like(scores), known, 1.0)
            given.update_state(relevant, scores)
            logs |= given.result()
        return logs

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> np.ndarray:
        """Scores histories, an array or a dataset; see Keras.

        Raises:
            ValueError: If an array is not of indices of the vocabulary.
            InputError: If the model has counted nothing yet.
        """
        self._check_counted()
        if isinstance(x, np.ndarray):
            x = as_histories(x, self.num_items)
        return super().predict(x, *args, **kwargs)

    def _check_counted(self) -> None:
        """Raises `InputError` if there is nothing to go by, before `adapt`."""
        if self.one_pass and self.needs_adapt:
            raise InputError(
                f"{type(self).__name__} has counted nothing yet. Call `fit` "
                "with training batches before it recommends."
            )

    def predict_step(self, data: Any) -> tf.Tensor:
        """Scores the histories of a batch; what `predict` concatenates."""
        return self.score(as_query(data))

    @tf.function(reduce_retracing=True, autograph=False)
    def _recommend(self, query, k, exclude_history):
        scores = self.score(query)
        if exclude_history:
            scores = exclude(scores, query.history)
        scores, columns = tf.math.top_k(scores, k)
        return columns + 1, scores

    def recommend(
        self,
        history: Sequence[Sequence[int]] | np.ndarray | tf.Tensor,
        k: int = 10,
        exclude_history: bool = True,
        user: Sequence[int] | np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the k best items after each history.

        Args:
            history: Item indices, oldest first; rows may differ in length.
            k: Number of items.
            exclude_history: Whether items of the history are left out.
            user: Index of each row's user, for a model that needs it; 0, or
                None for all, where it is not known.

        Returns:
            Item indices, int32 `[batch, k]`, and their log-probabilities,
            float32 `[batch, k]`, best first.

        Raises:
            ValueError: If `k` exceeds the number of items, or the histories
                are no rows of indices of the vocabulary.
            InputError: If the model has counted nothing yet.
        """
        if not 1 <= k <= self.num_items:
            raise ValueError(
                f"`k` must be between 1 and the number of items "
                f"({self.num_items}). Received: k={k}."
            )
        self._check_counted()
        history = as_histories(history, self.num_items)
        if user is not None:
            user = tf.constant(user, tf.int32)
        query = Query.of(history, user)
        items, scores = self._recommend(query, k, exclude_history)
        return items.numpy(), scores.numpy()
