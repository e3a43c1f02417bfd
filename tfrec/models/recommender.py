"""The base of every model: score, evaluate, recommend."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from tfrec.batches import EvaluationBatch
from tfrec.errors import InputError
from tfrec.metrics.ranking import (
    MRR,
    NDCG,
    Recall,
    set_scores,
    target_ranks_in_blocks,
)
from tfrec.settings import Settings

# Below every log-probability, yet finite: what excluded items score.
EXCLUDED = tf.float32.min


class Recommender(keras.Model):
    """A model that ranks every item after a history of items.

    A subclass implements `score` and `train_step`, and names its settings
    dataclass in `config_class`; fitting, evaluation and recommendation follow.
    Items are integers from 1 to `num_items`; 0 is padding, always at the end.

    Args:
        num_items: Number of items in the vocabulary, padding not counted.
        config: Settings of the model; its defaults when absent.

    Raises:
        InputError: If Keras's global policy computes in another type than
            float32.
    """

    config_class: ClassVar[type[Settings]]
    # Whether one epoch learns all there is, however many are asked for.
    one_pass: ClassVar[bool] = False

    def __init__(self, num_items: int, config: Settings | None = None):
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
        self.config = config or self.config_class()

    def score(self, history: tf.Tensor) -> tf.Tensor:
        """Returns the log-probability of every item to come next.

        Args:
            history: int32 `[batch, length]`, oldest item first, 0 at the end.

        Returns:
            float32 `[batch, num_items]`; column j is item j + 1.
        """
        raise NotImplementedError

    def block_scores(
        self, history: tf.Tensor
    ) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        """Returns what scores a range of items, as evaluation asks for them.

        The scores rank the items of a row as those of `score` do, and do not
        depend on the range. A model that can score some items without the
        others overrides this.

        Args:
            history: As for `score`.

        Returns:
            A function of two columns, `start` and `stop`, that returns float32
            `[batch, stop - start]`.
        """
        scores = self.score(history)
        return lambda start, stop: scores[:, start:stop]

    @property
    def tables(self) -> dict[str, tf.Variable]:
        """Variables whose size is not known before `adapt`.

        A weight of Keras has one shape, so they are none, but belong to the
        checkpoints as weights do.
        """
        return {}

    def adapt(self, batches: tf.data.Dataset) -> None:
        """Sets what is counted rather than learned, before training.

        Args:
            batches: One epoch of training batches.
        """

    def catch_up(self) -> None:
        """Completes what training has put off, at the end of each epoch."""

    def compile(
        self,
        cutoffs: Sequence[int] = (5, 10, 20),
        evaluation_block_items: int = 65_536,
        jit_compile: bool = False,
        **kwargs: Any,
    ) -> None:
        """Prepares the model for `fit` and `evaluate`.

        A subclass creates the variables of its optimizers here: made later, in
        the first step, they fail under a distribution strategy.

        Args:
            cutoffs: The k of recall@k, ndcg@k and mrr@k.
            evaluation_block_items: Items that `evaluate` scores at once, which
                bounds its memory and changes no number.
            jit_compile: Whether XLA compiles the steps. Keras would choose it
                on a GPU, but it compiles no shapes that depend on the data.
            **kwargs: Passed to `keras.Model.compile`.

        Raises:
            InputError: If `cutoffs` or `evaluation_block_items` are no
                positive integers.
        """
        if evaluation_block_items < 1:
            raise InputError(
                "`evaluation_block_items` must be at least 1. Received: "
                f"{evaluation_block_items}."
            )
        super().compile(jit_compile=jit_compile, **kwargs)
        self.evaluation_block_items = evaluation_block_items
        self.ranking_metrics = [
            metric(k) for k in cutoffs for metric in (Recall, NDCG, MRR)
        ]
        # In float64, which counts exactly beyond 16 million.
        self.tokens = keras.metrics.Sum("tokens", dtype="float64")

        # Several workers add up each number that is read or set alone in an
        # exchange of its own; compiled, they add up all in one call.
        def compiled(function):
            if not self._by_workers:
                return function
            return tf.function(function, autograph=False)

        self._results = compiled(
            lambda: {m.name: m.result() for m in self.metrics}
        )
        self._read_totals = compiled(
            lambda: [tf.convert_to_tensor(v) for v in self.metrics_variables]
        )
        self._reset_metrics = compiled(super().reset_metrics)

    @property
    def _by_workers(self) -> bool:
        return isinstance(
            self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy
        )

    def totals(self) -> list[tf.Tensor]:
        """Returns `metrics_variables`, summed over replicas."""
        return self._read_totals()

    def reset_metrics(self) -> None:
        """See base class."""
        self._reset_metrics()

    def count_tokens(self, items: tf.Tensor) -> None:
        """Counts the items to predict; each `train_step` calls it.

        Args:
            items: int32 `[batch, length + 1]`, 0 at the end.
        """
        self.tokens.update_state(tf.math.count_nonzero(items[:, 1:]))

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        # Everything is built before `fit`. Keras would average the first batch
        # over replicas here, and fail where their shapes differ.
        pass

    def _get_metrics_result_or_logs(self, logs):
        # The last step's logs average what the replicas hold. Read from here,
        # outside the replicas, a metric sums over them first.
        results = self._results()
        return {n: float(results.get(n, value)) for n, value in logs.items()}

    def _make_function(self, step_function):
        if not self._by_workers:
            return super()._make_function(step_function)
        # Keras averages each number over the workers by an exchange of its
        # own, along the first axis, which a scalar does not have.
        names = []

        def step(batch):
            logs = step_function(batch)
            names[:] = logs
            return tf.stack([tf.cast(x, tf.float32) for x in logs.values()])[
                None
            ]

        function = super()._make_function(step)
        return lambda iterator: dict(
            zip(names, tf.unstack(function(iterator)), strict=True)
        )

    def test_step(self, batch: EvaluationBatch) -> dict[str, tf.Tensor]:
        """Ranks the targets of one evaluation batch among all items."""
        ranks = target_ranks_in_blocks(
            self.block_scores(batch.history),
            self.num_items,
            self.evaluation_block_items,
            batch.targets,
            batch.excluded,
        )
        for metric in self.ranking_metrics:
            metric.update_state(ranks)
        return {m.name: m.result() for m in self.ranking_metrics}

    @tf.function(reduce_retracing=True)
    def _recommend(self, history, k, exclude_history):
        scores = self.score(history)
        if exclude_history:
            scores = exclude(scores, history)
        scores, columns = tf.math.top_k(scores, k)
        return columns + 1, scores

    def recommend(
        self,
        history: Sequence[Sequence[int]] | np.ndarray | tf.Tensor,
        k: int = 10,
        exclude_history: bool = True,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the k best items after each history.

        Args:
            history: Item indices, oldest first; rows may differ in length.
            k: Number of items.
            exclude_history: Whether items of the history are left out.

        Returns:
            Item indices, int32 `[batch, k]`, and their log-probabilities,
            float32 `[batch, k]`, best first.

        Raises:
            ValueError: If `k` exceeds the number of items, or an index the
                vocabulary.
        """
        if not 1 <= k <= self.num_items:
            raise ValueError(
                f"`k` must be between 1 and the number of items "
                f"({self.num_items}). Received: k={k}."
            )
        if not tf.is_tensor(history):
            history = tf.ragged.constant(
                [list(row) for row in history], tf.int32, ragged_rank=1
            ).to_tensor()
        largest = int(tf.reduce_max(history)) if tf.size(history) else 0
        if largest > self.num_items:
            raise ValueError(
                f"`history` must hold item indices up to {self.num_items}. "
                f"Received: {largest}."
            )
        items, scores = self._recommend(history, k, exclude_history)
        return items.numpy(), scores.numpy()


def exclude(scores: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
    """Sets the scores of the given items below all others.

    Args:
        scores: float32 `[batch, num_items]`; column j is item j + 1.
        items: int32 `[batch, n]`, 0 for none.
    """
    return set_scores(scores, items, EXCLUDED)


def newest(history: tf.Tensor, max_length: int) -> tf.Tensor:
    """Keeps the newest `max_length` items of each padded row.

    Args:
        history: int32 `[batch, length]`, 0 at the end.
        max_length: Largest length to keep.

    Returns:
        int32 `[batch, min(length, max_length)]`, 0 at the end.
    """
    length = tf.shape(history)[1]
    lengths = tf.reduce_sum(tf.cast(history > 0, tf.int32), 1)
    kept = tf.minimum(length, max_length)
    places = tf.maximum(lengths - kept, 0)[:, None] + tf.range(kept)
    return tf.gather(history, places, batch_dims=1)


def count_items(items: tf.data.Dataset, num_items: int) -> tf.Tensor:
    """Counts each item's interactions.

    Args:
        items: int32 tensors of any shape, 0 for padding.
        num_items: Number of items in the vocabulary.

    Returns:
        float32 `[num_items]`; entry j counts item j + 1.
    """
    counts = np.zeros(num_items + 1, np.int64)
    for batch in items.as_numpy_iterator():
        # In place: an array of all items for each batch would cost more, the
        # more items there are.
        np.add.at(counts, batch, 1)
    return tf.constant(counts[1:], tf.float32)


def coming(targets: tf.Tensor, window: int) -> tf.Tensor:
    """Lays each target beside the ones that follow it.

    Args:
        targets: int32 `[batch, length]`, 0 at the end.
        window: Targets per position.

    Returns:
        int32 `[batch, length, window]`, 0 beyond the end.
    """
    length = tf.shape(targets)[1]
    padded = tf.pad(targets, [[0, 0], [0, window - 1]])
    return tf.stack([padded[:, i : i + length] for i in range(window)], -1)
