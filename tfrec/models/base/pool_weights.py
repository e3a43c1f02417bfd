"""The weights of a pool of models, chosen on a validation split."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from scipy import optimize

from tfrec.batches import EvaluationBatch, Query
from tfrec.metrics.ranking import ranking_metrics, target_ranks
from tfrec.models.base.items import EXCLUDED, exclude

# Rounds of the selection, and after how many that bring nothing it ends.
_ROUNDS = 30
_PATIENCE = 10
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
    best round counts. Then their size: it changes no rank, and is the one with
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
    weights = _select(rows, units, metric) / units
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


def _select(rows: list[_Rows], units: np.ndarray, metric: str) -> np.ndarray:
    """Returns each model's share of what was added until the best round."""
    cutoff = int(metric.partition("@")[2])
    (measure,) = (m for m in ranking_metrics([cutoff]) if m.name == metric)
    ranks = tf.function(target_ranks, reduce_retracing=True, autograph=False)
    members = range(len(units))
    sums = [np.zeros_like(scores[0]) for _, scores in rows]

    def measured(member: int) -> float:
        """Returns the metric with a member added once more."""
        measure.reset_state()
        for (batch, scores), total in zip(rows, sums, strict=True):
            found = tf.constant(total + scores[member] / units[member])
            found = ranks(found, batch.targets, batch.excluded)
            measure.update_state(found)
        return float(measure.result())

    counts = np.zeros(len(units))
    best, chosen, since = -1.0, counts, 0
    for _ in range(_ROUNDS):
        values = [measured(member) for member in members]
        member = int(np.argmax(values))
        counts = counts + (np.array(members) == member)
        for (_, scores), total in zip(rows, sums, strict=True):
            total += scores[member] / units[member]
        since += 1
        if values[member] > best:
            best, chosen, since = values[member], counts, 0
        if since == _PATIENCE:
            break
    return chosen / chosen.sum()


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
