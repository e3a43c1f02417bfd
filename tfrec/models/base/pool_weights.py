"""The weights of a pool of models, chosen on a validation split."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from scipy import optimize

from tfrec.batches import EvaluationBatch, Query, thinned
from tfrec.metrics.ranking import metric_of, target_ranks
from tfrec.models.base.items import EXCLUDED, exclude

# Rounds of the selection, and after how many that bring nothing it ends.
_ROUNDS = 30
_PATIENCE = 10
# By how much a weight is moved then.
_STEPS = (2.0, 1.4, 1.2, 1.1)
# A row is ranked among so many items of each member, its best, or ten times
# the cutoff.
_BEST = 200
# Scores that are kept, in bytes: of those items, and of all items.
_MEMORY = 2**29
_WHOLE_MEMORY = 2**29
# Below any score, and finite when it is weighted.
_LOW = -1e9


class _Rows(NamedTuple):
    """Some rows of the split, and what each model says of their items.

    Attributes:
        scores: float32 `[members, batch, columns]`.
        targets: int32 `[batch, n]`, by columns from 1.
        excluded: int32 `[batch, m]`, by columns from 1.
    """

    scores: tf.Tensor
    targets: tf.Tensor
    excluded: tf.Tensor


class _Read(NamedTuple):
    """What is kept of a split.

    Attributes:
        best: Rows with the best items of each member and the targets.
        whole: Fewer rows, with all items.
        units: float64 `[members]`: how far each model's scores of a row
            deviate, on average. Members may be sharp or flat: in these units
            all count alike.
    """

    best: list[_Rows]
    whole: list[_Rows]
    units: np.ndarray


def choose_weights(
    score: Callable[[Query], tf.Tensor],
    batches: Iterable[EvaluationBatch],
    metric: str,
    members: int,
    num_items: int,
) -> np.ndarray:
    """Chooses w >= 0 for the scores sum_m w_m s_m.

    Their ratios by ensemble selection (Caruana et al., ICML'04): round after
    round the member that raises the metric most is added once more, and the
    best round counts. From there one weight after the other is moved while that
    raises the metric. Then their size: it changes no rank, and is the one with
    which the targets are likeliest, so that probabilities mean something.

    A row is ranked among the best items of each member: what has a good place
    in the blend has one in some member. So all rows of most splits have room.

    Args:
        score: Returns s, float32 `[members, batch, num_items]`.
        batches: Evaluation batches, read twice. Where what is kept of all rows
            takes more than half a gigabyte, every second row counts, or every
            third; for the size of the weights, of which more is kept, too.
        metric: What to raise, such as "ndcg@10".
        members: How many there are.
        num_items: Number of items.

    Returns:
        float64 `[members]`.
    """
    best = max(_BEST, 10 * metric_of(metric).k)
    read = _read(score, batches, members, num_items, best)
    measured = _Metric(read.best, read.units, metric)
    weights = _refine(measured, _select(measured, members)) / read.units
    return weights * _sharpness(read.whole, weights)


def _read(
    score: Callable[[Query], tf.Tensor],
    batches: Iterable[EvaluationBatch],
    members: int,
    num_items: int,
    best: int,
) -> _Read:
    """Scores rows from all over the split, as many as the memory holds."""
    score = tf.function(score, reduce_retracing=True, autograph=False)
    total = sum(len(batch.history) for batch in batches)
    columns = min(num_items, members * best)
    every = _stride(total, 4 * members * columns, _MEMORY)
    # Of those rows.
    every_whole = _stride(
        -(-total // every), 4 * members * num_items, _WHOLE_MEMORY
    )
    found, kept = _Read([], [], np.empty(0)), 0
    deviations = []
    for rows in thinned(batches, every):
        scores = score(rows.query)
        whole = _Rows(scores, rows.targets, rows.excluded)
        ranked = exclude(tf.zeros(scores.shape[1:]), rows.excluded) == 0
        deviations.append(_deviations(scores, ranked))
        found.best.append(_shortened(whole, ranked, best))
        part = slice(-kept % every_whole, None, every_whole)
        if part.start < len(rows.history):
            found.whole.append(
                _Rows(
                    scores[:, part],
                    rows.targets[part],
                    rows.excluded[part],
                )
            )
        kept += len(rows.history)
    each = np.concatenate(deviations, 1)
    # Of a split in which every history holds every item nothing is known.
    units = each.mean(1) if each.size else np.ones(members)
    # A member may say the same of all items.
    return found._replace(units=np.maximum(units, 1e-12))


def _deviations(scores: tf.Tensor, ranked: tf.Tensor) -> np.ndarray:
    """Returns the standard deviation of each row's scores, of ranked items.

    Rows in which no item is ranked have none.
    """
    some = tf.reduce_any(ranked, 1)
    ranked = tf.boolean_mask(ranked, some)
    scores = tf.boolean_mask(scores, some, axis=1)
    count = tf.reduce_sum(tf.cast(ranked, tf.float32), 1)
    mean = tf.reduce_sum(tf.where(ranked, scores, 0.0), 2) / count
    squares = tf.where(ranked, (scores - mean[..., None]) ** 2, 0.0)
    return tf.sqrt(tf.reduce_sum(squares, 2) / count).numpy()


def _stride(rows: int, row_bytes: int, memory: int) -> int:
    """Returns which rows fit: each, every second, every third."""
    return max(1, -(-rows // max(memory // row_bytes, 1)))


def _shortened(rows: _Rows, ranked: tf.Tensor, best: int) -> _Rows:
    """Leaves the best items of each member, and the targets.

    Args:
        rows: With all items.
        ranked: bool `[batch, num_items]`, false for excluded items.
        best: How many of each member.
    """
    members, _, num_items = rows.scores.shape
    if members * best >= num_items:
        return rows
    known = (rows.targets > 0) & (rows.targets <= num_items)
    kept = [tf.where(known, rows.targets, 0)]
    for scores in rows.scores:
        marked = tf.where(ranked, scores, EXCLUDED)
        kept.append(tf.math.top_k(marked, best, sorted=False).indices + 1)
    items = tf.sort(tf.concat(kept, 1), 1)
    # Each counts once; 0 is the first.
    again = items == tf.pad(items, [[0, 0], [1, 0]])[:, :-1]
    columns = tf.maximum(items - 1, 0)
    ranked = tf.gather(ranked, columns, batch_dims=1)
    scores = tf.gather(
        rows.scores, tf.tile(columns[None], [members, 1, 1]), batch_dims=2
    )
    scores = tf.where(again | ~ranked, _LOW, scores)
    places = tf.cast(tf.searchsorted(items, rows.targets), tf.int32)
    unseen = tf.shape(items)[1] + 1
    targets = tf.where(
        rows.targets > num_items, unseen, tf.where(known, places + 1, 0)
    )
    held = tf.gather(ranked, tf.where(known, places, 0), batch_dims=1)
    return _Rows(scores, targets, tf.where(known & ~held, targets, 0))


class _Metric:
    """A metric of the rows by the weights of the members, in their units.

    Args:
        rows: What is ranked.
        units: float64 `[members]`, see `_Read`.
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
        for rows in self._rows:
            pooled = tf.tensordot(scaled, rows.scores, 1)
            found = self._ranks(pooled, rows.targets, rows.excluded)
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

    Selection only adds: what came early and is not needed later stays, shares
    are of whole rounds, and of members that are much alike only one comes in.
    Here a member may leave or come in, and its weight may grow or shrink, by
    less and less.
    """
    best = metric(weights)
    for step in _STEPS:
        improved = True
        while improved:
            improved = False
            for member in range(len(weights)):
                moves = _moves(weights, member, step)
                values = [metric(moved) for moved in moves]
                if values and max(values) > best:
                    best, improved = max(values), True
                    weights = moves[int(np.argmax(values))]
    return weights


def _moves(weights: np.ndarray, member: int, step: float) -> np.ndarray:
    """Returns what a member's weight may become, `[moves, members]`.

    Of all moves the best is taken: a member that left at once could have been
    worth a little.
    """
    own = weights[member]
    if own == 0:
        # From a quarter of all weights on.
        others = [weights.sum() * (step - 1.0) / 4.0]
    elif np.count_nonzero(weights) == 1:
        # Alone it cannot leave, and its weight changes no rank.
        others = []
    else:
        others = [0.0, own / step, own * step]
    moves = np.tile(weights, (len(others), 1))
    moves[:, member] = others
    return moves


def _sharpness(rows: list[_Rows], weights: np.ndarray) -> float:
    """Returns a of softmax(a sum_m w_m s_m) with the likeliest targets."""
    pooled = [
        exclude(
            tf.tensordot(tf.constant(weights, tf.float32), row.scores, 1),
            row.excluded,
        )
        for row in rows
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
            float(likelihood(scores, row.targets, sharpness))
            for scores, row in zip(pooled, rows, strict=True)
        )

    found = optimize.minimize_scalar(loss, bounds=(-7.0, 7.0), method="bounded")
    return float(np.exp(found.x))
