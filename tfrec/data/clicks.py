"""Every click of a session as a row to be predicted, for `next_click`."""

import math
from collections.abc import Sequence

import tensorflow as tf

from tfrec.batches import EvaluationBatch, unseen
from tfrec.data import windows
from tfrec.data.shares import cut


@tf.autograph.experimental.do_not_convert
def click_batches(
    files: Sequence[str],
    records: int,
    clicks: int,
    longest: int,
    *,
    batch_size: int,
    num_items: int,
) -> tf.data.Dataset:
    """Streams every click of whole sessions once, in a fixed order.

    A session of n items gives n - 1 rows, whose targets are its items but the
    first and whose histories are what comes before them. The rows of some
    sessions are made at a time.

    Args:
        files: Paths of the shards.
        records: Number of sessions in all shards.
        clicks: Number of rows that they give.
        longest: Number of items of the longest session.
        batch_size: Largest number of rows of a batch.
        num_items: Size of the vocabulary. Items above it have no place in a
            history; as targets they are `unseen`, to be missed.

    Returns:
        Dataset of `EvaluationBatch` of unknown users: `history` whole, with at
        least one column, which is all padding where nothing before the click
        is known; `targets` [batch, 1]; `excluded` [batch, 0].
    """
    plan = cut(clicks, batch_size)

    def expand(
        numbers: tf.Tensor, sessions: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        items = windows.parse_records(sessions, ("items",))["items"]
        # Row r of a session is its first r items, and the item after them.
        rows = items.row_lengths() - 1
        starts = tf.repeat(items.row_starts(), rows)
        stops = starts + tf.ragged.range(1, rows + 1).values
        targets = tf.gather(items.values, stops)
        targets = tf.minimum(targets, unseen(num_items))
        # Histories are ranges of what is known; as int32, because they take
        # memory with the square of a session's length.
        known = items.values <= num_items
        before = tf.cumsum(tf.cast(known, tf.int32), exclusive=True)
        places = tf.ragged.range(
            tf.gather(before, starts), tf.gather(before, stops)
        )
        values = tf.cast(tf.boolean_mask(items.values, known), tf.int32)
        history = tf.gather(values, places)
        # Of one width, so that they can be dealt to windows.
        history = history.to_tensor(shape=[None, longest])
        return history, targets[:, None], tf.repeat(numbers, rows)

    def parse(
        index: tf.Tensor,
        window: tuple[tf.Tensor, tf.Tensor, tf.Tensor],
        batches: tf.Tensor,
    ):
        history, targets, numbers = window
        columns = {
            "history": tf.RaggedTensor.from_tensor(history, padding=0),
            "targets": tf.RaggedTensor.from_tensor(targets),
            "record": numbers,
        }
        return windows.sort_by_length(columns, by="history"), tf.range(batches)

    def complete(columns: dict[str, tf.Tensor]) -> EvaluationBatch:
        history = columns["history"]
        missing = tf.maximum(1 - tf.shape(history)[1], 0)
        return EvaluationBatch.of(
            tf.pad(history, [[0, 0], [0, missing]]),
            columns["targets"],
            tf.zeros([tf.shape(history)[0], 0], tf.int32),
            record=columns["record"],
        )

    # As many sessions at a time as give about one batch.
    sessions = math.ceil(batch_size * records / clicks)
    rows = windows.read_shards(tf.constant(files)).enumerate()
    rows = rows.batch(sessions).map(expand)
    dataset = (
        windows.deal(rows, plan)
        .map(parse, num_parallel_calls=tf.data.AUTOTUNE)
        .flat_map(windows.cut_window)
        .map(complete)
    )
    return windows.finish(dataset, sum(plan.batches))
