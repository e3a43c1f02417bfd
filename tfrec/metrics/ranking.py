"""Full-ranking metrics: the targets' ranks, and their streaming averages.

Two steps, so that the ranking is done once for every metric and cutoff:
`target_ranks` turns scores into ranks, the metrics average over the ranks.
"""

from collections.abc import Callable, Iterable
from typing import Any

import keras
import tensorflow as tf

from tfrec.errors import InputError

# Rank of a target that is excluded or outside the vocabulary: never hit.
NEVER = tf.int32.max

# Scores compared at a time, 4 MB of them: measured fastest on a CPU, and the
# bound on the memory that ranking takes beside a copy of the scores.
_COMPARED_AT_ONCE = 2**20


def target_ranks(
    scores: tf.Tensor, targets: tf.Tensor, excluded: tf.Tensor
) -> tf.Tensor:
    """Ranks the target items among all items that are not excluded.

    The rank is 1 + the number of items with a greater score + half of the
    number of other items with an equal score, rounded up. So a model that
    scores all items alike is at chance level wherever its targets stand. The
    other targets of the row compete like any item.

    Args:
        scores: float `[batch, num_items]`; column j is item j + 1.
        targets: int32 `[batch, n]`, unique in a row; 0 is padding, num_items
            + 1 an item that the training never had.
        excluded: int32 `[batch, m]`, items that are never ranked, repetitions
            allowed; 0 is padding.

    Returns:
        int32 `[batch, n]`; 0 where `targets` is padding, `NEVER` where the
        target is itself excluded or has no score.

    Raises:
        tf.errors.InvalidArgumentError: If a score is NaN, or an index of
            `targets` or `excluded` exceeds those above.
    """
    scores = tf.convert_to_tensor(scores)
    targets, excluded = _checked(targets, excluded, tf.shape(scores)[1])
    scores = _marked(scores, excluded)
    places, rows, items = _targets(targets)
    seen = tf.minimum(items, tf.shape(scores)[1])
    own = tf.gather_nd(scores, tf.stack([rows, seen - 1], 1))
    own = tf.where(items > seen, float("nan"), own)
    counts = _count_above(scores, rows, own)
    return _ranks(own, counts, places, targets)


def target_ranks_in_blocks(
    score: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    num_items: int,
    block_items: int,
    targets: tf.Tensor,
    excluded: tf.Tensor,
) -> tf.Tensor:
    """Ranks like `target_ranks`, with the scores of some items at a time.

    Where there are several blocks, each is scored twice: first for the scores
    of the targets, then for those that compete with them. A target's score
    from elsewhere could differ from the one in its block by rounding.

    Args:
        score: Given columns `start` and `stop`, returns the scores between
            them, float `[batch, stop - start]`.
        num_items: Number of items.
        block_items: Largest number of items to score at once.
        targets: As for `target_ranks`.
        excluded: As for `target_ranks`.

    Returns:
        What `target_ranks` returns, and raises what it raises.
    """
    if num_items <= block_items:
        return target_ranks(score(0, num_items), targets, excluded)
    targets, excluded = _checked(targets, excluded, num_items)
    places, rows, items = _targets(targets)

    def block(start, stop):
        inside = (excluded > start) & (excluded <= stop)
        return _marked(
            score(start, stop), tf.where(inside, excluded - start, 0)
        )

    def find(own, start, stop):
        inside = (items > start) & (items <= stop)
        columns = tf.where(inside, items - start - 1, 0)
        found = tf.gather_nd(block(start, stop), tf.stack([rows, columns], 1))
        return tf.where(inside, found, own)

    unseen = tf.fill(tf.shape(items), float("nan"))
    own = over_blocks(find, unseen, num_items, block_items)

    def count(counts, start, stop):
        return counts + _count_above(block(start, stop), rows, own)

    counts = over_blocks(count, tf.zeros_like(items), num_items, block_items)
    return _ranks(own, counts, places, targets)


def best_in_blocks(
    score: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    num_items: int,
    block_items: int,
    excluded: tf.Tensor,
    k: int,
) -> tf.Tensor:
    """Finds the items with the best scores, some items at a time.

    Args:
        score: As for `target_ranks_in_blocks`.
        num_items: Number of items.
        block_items: Largest number of items to score at once.
        excluded: As for `target_ranks`.
        k: How many; at most `num_items`.

    Returns:
        int32 `[batch, k]`, best first; of equals the lower index. 0 where all
        that is left is excluded.
    """
    lowest = tf.float32.min

    def add(best, start, stop):
        inside = (excluded > start) & (excluded <= stop)
        scores = set_scores(
            score(start, stop), tf.where(inside, excluded - start, 0), lowest
        )
        width = tf.minimum(k, stop - start)
        scores, columns = tf.math.top_k(scores, width)
        items = tf.where(scores > lowest, columns + 1 + start, 0)
        scores = tf.concat([best[0], scores], 1)
        items = tf.concat([best[1], items], 1)
        scores, places = tf.math.top_k(scores, k)
        return scores, tf.gather(items, places, batch_dims=1)

    shape = [tf.shape(excluded)[0], k]
    nothing = tf.fill(shape, lowest), tf.zeros(shape, tf.int32)
    return over_blocks(add, nothing, num_items, block_items)[1]


def over_blocks(
    step: Callable[[Any, tf.Tensor, tf.Tensor], Any],
    initial: Any,
    num_items: int,
    block_items: int,
) -> Any:
    """Folds over blocks of items, of which one is in memory at a time.

    Args:
        step: Given the state and columns `start` and `stop`, returns the next
            state.
        initial: The first state, a tensor or a tuple of tensors.
        num_items: Number of items.
        block_items: Largest number of items in a block.
    """
    if num_items <= block_items:
        return step(initial, 0, num_items)

    def body(start, state):
        stop = tf.minimum(start + block_items, num_items)
        return stop, step(state, start, stop)

    return tf.while_loop(
        lambda start, state: start < num_items,
        body,
        (0, initial),
        parallel_iterations=1,
    )[1]


def _checked(
    targets: tf.Tensor, excluded: tf.Tensor, num_items: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the items as tensors, once they are known to be items."""
    targets = tf.convert_to_tensor(targets, tf.int32)
    excluded = tf.convert_to_tensor(excluded, tf.int32)
    with tf.control_dependencies(
        [
            tf.debugging.assert_less_equal(
                targets, num_items + 1, "A target is no item of the scores."
            ),
            tf.debugging.assert_less_equal(
                excluded, num_items, "An excluded item is none of the scores."
            ),
        ]
    ):
        return tf.identity(targets), tf.identity(excluded)


def _marked(scores: tf.Tensor, excluded: tf.Tensor) -> tf.Tensor:
    """Returns the scores with NaN for excluded items, which count nowhere.

    A NaN is neither greater than nor equal to anything.
    """
    with tf.control_dependencies(
        [
            tf.debugging.assert_equal(
                tf.reduce_any(tf.math.is_nan(scores)),
                False,
                "A score to be ranked is NaN.",
            )
        ]
    ):
        return set_scores(scores, excluded, float("nan"))


def _targets(targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the places of the targets, their rows, and the targets."""
    places = tf.cast(tf.where(targets > 0), tf.int32)
    return places, places[:, 0], tf.gather_nd(targets, places)


def _ranks(
    own: tf.Tensor, counts: tf.Tensor, places: tf.Tensor, targets: tf.Tensor
) -> tf.Tensor:
    """Returns the ranks, laid out as the targets; NEVER where `own` is NaN."""
    # Of the integers g (greater) and e (equal, the target itself included):
    # 1 + g + ceil((e - 1) / 2) = 1 + (2 g + e) // 2, and 2 g + e is the number
    # greater plus the number at least equal.
    ranks = tf.where(tf.math.is_nan(own), NEVER, 1 + counts // 2)
    return tf.scatter_nd(places, ranks, tf.shape(targets))


def _count_above(
    scores: tf.Tensor, rows: tf.Tensor, own: tf.Tensor
) -> tf.Tensor:
    """Counts the scores greater than, plus those not less than, `own`.

    The counts over blocks of items add up to the count over all of them.

    Args:
        scores: float `[batch, items]`.
        rows: int32 `[n]`, the row of each target.
        own: float `[n]`, the score of each target.

    Returns:
        int32 `[n]`.
    """
    total = tf.size(rows)
    most = tf.maximum(1, _COMPARED_AT_ONCE // tf.shape(scores)[1])
    chunks = tf.maximum(1, -(-total // most))
    chunk = -(-total // chunks)

    def split(values):
        padded = tf.pad(values, [[0, chunks * chunk - total]])
        return tf.reshape(padded, [chunks, chunk])

    def count(chunk_of):
        rows, own = chunk_of
        rivals, own = tf.gather(scores, rows), own[:, None]
        greater = tf.cast(rivals > own, tf.int32)
        not_less = tf.cast(rivals >= own, tf.int32)
        return tf.reduce_sum(greater, 1) + tf.reduce_sum(not_less, 1)

    counts = tf.map_fn(
        count,
        (split(rows), split(own)),
        fn_output_signature=tf.TensorSpec([None], tf.int32),
    )
    return tf.reshape(counts, [-1])[:total]


def set_scores(scores: tf.Tensor, items: tf.Tensor, value: float) -> tf.Tensor:
    """Gives the items of each row the score `value`.

    Args:
        scores: float `[batch, num_items]`; column j is item j + 1.
        items: int32 `[batch, n]`, repetitions allowed; 0 is padding.
        value: The score to set.
    """
    places = tf.cast(tf.where(items > 0), tf.int32)
    columns = tf.gather_nd(items, places) - 1
    values = tf.fill(tf.shape(columns), tf.constant(value, scores.dtype))
    return tf.tensor_scatter_nd_update(
        scores, tf.stack([places[:, 0], columns], 1), values
    )


class RankingMetric(keras.metrics.Mean):
    """Base of the metrics that average a value of each row's ranks.

    A subclass implements `values`. Rows without a target are not counted.

    Args:
        k: Cutoff: the length of the list that is recommended.
        name: Name of the metric; `recall@10` by default.

    Raises:
        InputError: If `k` is not a positive integer.
    """

    def __init__(self, k: int, name: str | None = None):
        if not isinstance(k, int) or k < 1:
            raise InputError(
                f"`k` must be a positive integer. Received: k={k}."
            )
        # In float64: a float32 sum over millions of sequences loses digits.
        super().__init__(
            name=name or f"{type(self).__name__.lower()}@{k}", dtype="float64"
        )
        self.k = k

    def values(self, ranks: tf.Tensor) -> tf.Tensor:
        """Returns the metric of each row, float32 `[batch]`.

        Args:
            ranks: int32 `[batch, n]`, as `target_ranks` returns them.
        """
        raise NotImplementedError

    def update_state(self, ranks: tf.Tensor) -> None:
        """Adds a batch of ranks, int32 `[batch, n]`; 0 is padding."""
        counted = tf.reduce_any(ranks > 0, axis=1)
        super().update_state(self.values(ranks), tf.cast(counted, tf.float32))

    def hits(self, ranks: tf.Tensor) -> tf.Tensor:
        """Returns 1 where the rank is one of the first k, else 0; float32."""
        return tf.cast((ranks > 0) & (ranks <= self.k), tf.float32)

    def get_config(self) -> dict:
        return {"k": self.k, "name": self.name}


class Recall(RankingMetric):
    """Recall@k: the share of a row's targets among the first k items.

    A list of k items holds at most k of them, also where ties put more.
    """

    def values(self, ranks: tf.Tensor) -> tf.Tensor:
        """See base class."""
        hits = tf.reduce_sum(self.hits(ranks), 1)
        return tf.math.divide_no_nan(
            tf.minimum(hits, float(self.k)), _num_targets(ranks)
        )


class NDCG(RankingMetric):
    """NDCG@k, with the ideal gain taken over min(k, targets) items."""

    def values(self, ranks: tf.Tensor) -> tf.Tensor:
        """See base class."""
        gain = tf.reduce_sum(self.hits(ranks) * _discount(ranks), 1)
        ideal = tf.cumsum(_discount(tf.range(1, self.k + 1)))
        best = tf.minimum(tf.cast(_num_targets(ranks), tf.int32), self.k)
        ideal = tf.gather(ideal, tf.maximum(best, 1) - 1)
        # Tied targets share a rank, so more than k of them can be hits.
        return tf.minimum(gain / ideal, 1.0)


class MRR(RankingMetric):
    """MRR@k: 1 / the rank of the first hit, 0 without one in the first k."""

    def values(self, ranks: tf.Tensor) -> tf.Tensor:
        """See base class."""
        reciprocal = tf.math.divide_no_nan(
            self.hits(ranks), tf.cast(ranks, tf.float32)
        )
        # A batch without any target has no column to take the maximum of.
        return tf.reduce_max(tf.pad(reciprocal, [[0, 0], [0, 1]]), 1)


def ranking_metrics(cutoffs: Iterable[int]) -> list[RankingMetric]:
    """Returns the metrics that are taken at each cutoff."""
    return [metric(k) for k in cutoffs for metric in (Recall, NDCG, MRR)]


def metric_of(name: str) -> RankingMetric:
    """Returns the metric of a name, such as "ndcg@10"."""
    cutoff = int(name.partition("@")[2])
    (metric,) = (m for m in ranking_metrics([cutoff]) if m.name == name)
    return metric


def _num_targets(ranks: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.cast(ranks > 0, tf.float32), 1)


def _discount(ranks: tf.Tensor) -> tf.Tensor:
    """Returns 1 / log2(1 + rank), the gain of a hit at that rank."""
    ranks = tf.maximum(tf.cast(ranks, tf.float32), 1.0)
    return tf.math.log(2.0) / tf.math.log1p(ranks)
