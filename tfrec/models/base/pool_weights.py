"""The weights of a pool of models, chosen on a validation split."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from scipy import optimize

from tfrec.batches import EvaluationBatch, Query
from tfrec.metrics.ranking import metric_of, target_ranks
from tfrec.models.base.items import EXCLUDED, exclude

# Rounds of the selection, and after how many that bring nothing it ends.
_ROUNDS = 30
_PATIENCE = 10
# By how much a weight is moved then.
_STEPS = (2.0, 1.4, 1.2, 1.1)
# Scores that are kept, in bytes.
_MEMORY = 2**30


class _Rows(NamedTuple):
    """Some rows of the split, and what each model says of them.

    Attributes:
        batch: The rows.
        scores: float32 `[members, batch, num_items]`.
    """

    batch: EvaluationBatch
    scores: np.ndarray


def choose_weights(
    score: Callable[[Query], tf.Tensor],
    batches: Iterable[EvaluationBatch],
    metric: str,
    row_scores: int,
) -> np.ndarray:
    """Chooses w >= 0 for the scores sum_m w_m s_m.

    Their ratios by ensemble selection (Caruana et al., ICML'04): round after
    round the member that raises the metric most is added once more, and the
    best round counts. From there one weight after the other is moved while that
    raises the metric. Then their size: it changes no rank, and is the one with
    which the targets are likeliest, so that probabilities mean something.

    Args:
        score: Returns s, float32 `[members, batch, num_items]`.
        batches: Evaluation batches, read twice. Where the scores of all rows
            take more than a gigabyte, every second row counts, or every third.
        metric: What to raise, such as "ndcg@10".
        row_scores: members * num_items.

    Returns:
        float64 `[members]`.
    """
    rows = _read(score, batches, _MEMORY // (4 * row_scores))
    units = _units(rows)
    measured = _Metric(rows, units, metric)
    weights = _refine(measured, _select(measured, len(units))) / units
    return weights * _sharpness(rows, weights)


def _read(
    score: Callable[[Query], tf.Tensor],
    batches: Iterable[EvaluationBatch],
    most: int,
) -> list[_Rows]:
    """Scores at most that many rows, from all over the split."""
    score = tf.function(score, reduce_retracing=True, autograph=False)
    stride = -(-sum(len(batch.history) for batch in batches) // max(most, 1))
    rows, first = [], 0
    for batch in batches:
        size = len(batch.history)
        if first < size:
            kept = EvaluationBatch(*(column[first::stride] for column in batch))
            rows.append(_Rows(kept, score(kept.query).numpy()))
        first = (first - size) % stride
    return rows


def _units(rows: list[_Rows]) -> np.ndarray:
    """Returns how far each model's scores of a row deviate, on average.

    Members may be sharp or flat: in these units all count alike.
    """
    deviations = []
    for batch, scores in rows:
        ranked = exclude(tf.zeros(scores.shape[1:]), batch.excluded) == 0
        deviations.append(np.std(scores, 2, where=ranked.numpy()[None]))
    # A member may say the same of all items.
    return np.maximum(np.concatenate(deviations, 1).mean(1), 1e-12)


class _Metric:
    """A metric of the rows by the weights of the members, in their units.

    Args:
        rows: What is ranked.
        units: float64 `[members]`, see `_units`.
        name: Such as "ndcg@10".
    """

    def __init__(self, rows: list[_Rows], units: np.ndarray, name: str):
        self._rows = rows
        self._units = units
        self._metric = metric_of(name)
        self._ranks = tf.function(
            target_ranks, reduce_retracing=True, autograph=False
        )

    def __call__(self, weights: np.ndarray) -> float:
        """Returns the metric of `weights`, `[members]`."""
        self._metric.reset_state()
        scaled = np.asarray(weights / self._units, np.float32)
        for batch, scores in self._rows:
            pooled = tf.tensordot(scaled, scores, 1)
            found = self._ranks(pooled, batch.targets, batch.excluded)
            self._metric.update_state(found)
        return float(self._metric.result())


def _select(metric: _Metric, members: int) -> np.ndarray:
    """Returns each member's share of what was added until the best round."""
    counts = np.zeros(members)
    best, chosen, since = -1.0, counts, 0
    for _ in range(_ROUNDS):
        values = [metric(counts + one) for one in np.eye(members)]
        member = int(np.argmax(values))
        counts = counts + np.eye(members)[member]
        since += 1
        if values[member] > best:
            best, chosen, since = values[member], counts, 0
        if since == _PATIENCE:
            break
    return chosen / chosen.sum()


def _refine(metric: _Metric, weights: np.ndarray) -> np.ndarray:
    """Moves one weight after the other while that raises the metric.

    Selection only adds: what came early and is not needed later stays, and
    shares are of whole rounds. Here a member may leave, and its weight may
    grow or shrink, by less and less.
    """
    best = metric(weights)
    for step in _STEPS:
        improved = True
        while improved:
            improved = False
            for member in np.flatnonzero(weights):
                if np.count_nonzero(weights) == 1:
                    return weights
                # Of all moves the best: one that leaves at once could have
                # been worth a little.
                moves = np.tile(weights, (3, 1))
                moves[:, member] *= 0.0, 1.0 / step, step
                values = [metric(moved) for moved in moves]
                if max(values) > best:
                    best, improved = max(values), True
                    weights = moves[int(np.argmax(values))]
    return weights


def _sharpness(rows: list[_Rows], weights: np.ndarray) -> float:
    """Returns a of softmax(a sum_m w_m s_m) with the likeliest targets."""
    pooled = [
        exclude(
            tf.tensordot(tf.constant(weights, tf.float32), scores, 1),
            batch.excluded,
        )
        for batch, scores in rows
    ]

    @tf.function(reduce_retracing=True, autograph=False)
    def likelihood(scores, targets, sharpness):
        """Sums the mean log-likelihood of a row's targets over rows."""
        known = (targets > 0) & (targets <= tf.shape(scores)[1])
        columns = tf.where(known, targets - 1, 0)
        # Nor do items count that are not ranked.
        known &= tf.gather(scores, columns, batch_dims=1) > EXCLUDED
        scores = tf.where(scores > EXCLUDED, sharpness * scores, EXCLUDED)
        logs = tf.gather(tf.nn.log_softmax(scores), columns, batch_dims=1)
        logs = tf.reduce_sum(tf.where(known, logs, 0.0), 1)
        count = tf.reduce_sum(tf.cast(known, tf.float32), 1)
        return tf.reduce_sum(tf.math.divide_no_nan(logs, count))

    def loss(logarithm: float) -> float:
        sharpness = tf.constant(np.exp(logarithm), tf.float32)
        return -sum(
            float(likelihood(scores, row.batch.targets, sharpness))
            for scores, row in zip(pooled, rows, strict=True)
        )

    found = optimize.minimize_scalar(loss, bounds=(-7.0, 7.0), method="bounded")
    return float(np.exp(found.x))
