"""From TFRecord shards to batches, with tf.data; see `windows`."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfrec.batches import EvaluationBatch, TrainingBatch, unseen
from tfrec.data.shares import Cut, cut, read_share, share_of, whole_shares
from tfrec.data.windows import (
    cut_window,
    deal,
    finish,
    parse_records,
    read_shards,
    sort_by_length,
    split_long,
)

# Memory for serialized records waiting to be shuffled. Most datasets fit
# whole and are shuffled perfectly.
_SHUFFLE_BYTES = 256 << 20
# What TensorFlow needs for each of them besides its bytes.
_BYTES_PER_STRING = 150


# Nothing in this package needs AutoGraph, and to convert takes seconds.
@tf.autograph.experimental.do_not_convert
def training_batches(
    files: Sequence[str],
    counts: Sequence[int],
    mean_bytes: float,
    *,
    batch_size: int,
    max_length: int,
    seed: int,
    append_targets: bool,
    epochs: int | None,
    first_step: int,
    windows: bool = False,
    recency: float = 0.0,
    places: Sequence[tuple[int, int]] = (),
    input_context: tf.distribute.InputContext | None = None,
) -> tf.data.Dataset:
    """Streams the training batches of several epochs.

    A batch depends only on the files, `seed`, its place in its epoch and the
    number of workers, so a run that stopped after step s continues exactly
    with `first_step=s`.

    The order: what fits into the shuffle buffer of 256 MB is shuffled
    perfectly. Beyond it, a record moves within the buffer only. But records
    were dealt to the shards in turn, so that each shard runs once through the
    log, and the shards are read one after the other, in a new order each
    epoch. So a batch is drawn from the whole log as long as a shard fits into
    the buffer; with larger shards, from a stretch of it as long as the buffer
    is, compared with a shard. More shards (`--shards`) mix a large log better.

    Args:
        files: Paths of the shards.
        counts: Number of records in each.
        mean_bytes: Mean size of a record on disk.
        batch_size: Largest number of rows of a (global) batch. Several
            workers round it each for itself, so theirs can have one row more
            for each replica.
        max_length: A row has at most one item more, because inputs and
            outputs are shifted by one. The newest items are kept.
        windows: Whether the older ones are too, in rows of their own, see
            `split_long`. A batch then has a row more for each of them, and the
            weights are those of the sequences.
        recency: See `recency_weights`; 0: all sequences weigh the same.
        places: With `recency`, for each file: the place in the log of its first
            record, from 0, and from each record to the next.
        seed: Any integer.
        append_targets: Whether the targets follow the items.
        epochs: Number of epochs. None: one, the next each time that the
            dataset is read, from the first one on.
        first_step: Number of steps to leave out at the start.
        input_context: Of a worker that reads only its share, see `shares`.
            Each step then has a batch for each of its replicas.

    Returns:
        Dataset of `TrainingBatch`. The weights stay as they are when a
        strategy splits a batch over replicas.
    """
    records = sum(counts)
    plan = cut(records, batch_size)
    share = share_of(records, plan.batches, input_context)
    own = Cut(share.windows, plan.batches)
    steps = sum(plan.batches)
    first_epoch, skipped = divmod(first_step, steps)
    here = sum(own.windows)
    buffer = min(here, int(_SHUFFLE_BYTES / (mean_bytes + _BYTES_PER_STRING)))
    # What is shuffled perfectly may come in any order. In this one, runs
    # repeat those of earlier versions.
    at_once = len(files) if buffer == here else 1
    names = ("items", "targets") if append_targets else ("items",)
    firsts = tf.constant(places, tf.int64)

    def read_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        # Dataset.shuffle mixes its seed with that of the graph, here of this
        # function. Fixed, the order depends on no global seed. (With a 0,
        # TensorFlow would compare the seed below, a tensor, to 0.)
        tf.random.set_seed(1)
        key = tf.stack([tf.constant(seed, tf.int64), epoch])
        file_key, record_key, batch_key = tf.unstack(tf.random.split(key, 3))
        shuffle_seed = tf.random.stateless_uniform(
            [], record_key, minval=None, maxval=None, dtype=tf.int64
        )
        shards = tf.random.experimental.stateless_shuffle(
            tf.range(len(files)), file_key
        )
        shards = whole_shares(shards, counts, len(share.counts))
        serialized = read_share(
            tf.gather(files, shards),
            tf.gather(tf.constant(counts, tf.int64), shards),
            share,
            at_once,
            tf.gather(firsts, shards) if recency else None,
        ).shuffle(buffer, seed=shuffle_seed, reshuffle_each_iteration=False)

        def shuffle_batches(index, window, batches):
            # The same on all workers: their batches of a step are of like
            # length, and none waits for another.
            key = tf.random.fold_in(batch_key, index)
            order = tf.range(batches)
            order = tf.random.experimental.stateless_shuffle(order, key)
            rows = share.global_rows(index, batches)
            return window, order, tf.gather(rows, order)

        batched = serialized.batch(max(own.windows))
        return deal(batched, own).map(shuffle_batches)

    def parse(
        window: tf.Tensor | tuple[tf.Tensor, tf.Tensor],
        order: tf.Tensor,
        global_rows: tf.Tensor,
    ):
        serialized, place = window if recency else (window, None)
        columns = parse_records(serialized, names)
        items = tf.concat([columns[name] for name in names], axis=1)
        columns = {"items": items, "user": columns["user"]}
        if recency:
            columns["recency"] = recency_weights(place, records, recency)
        if windows:
            columns = split_long(columns, max_length)
        else:
            columns["items"] = items[:, -(max_length + 1) :]
        # Each batch is cut into one for each replica.
        parts = order[:, None] * share.replicas + tf.range(
            share.replicas, dtype=tf.int64
        )
        return (
            sort_by_length(columns, by="items"),
            tf.reshape(parts, [-1]),
            tf.repeat(global_rows, share.replicas),
        )

    def cut_and_weigh(columns, order, global_rows):
        weights = 1.0 / tf.cast(global_rows, tf.float32)
        return tf.data.Dataset.zip(
            cut_window(columns, order, max_length),
            tf.data.Dataset.from_tensor_slices(weights),
        )

    def complete(batch, weight) -> TrainingBatch:
        weights = batch.get("recency", tf.ones([tf.shape(batch["user"])[0]]))
        return TrainingBatch(
            batch["items"], weight * weights, batch["user"], weights
        )

    if epochs is None:
        numbers = _one_more_each_time()
    else:
        numbers = tf.data.Dataset.range(first_epoch, epochs)
    dataset = (
        numbers.flat_map(read_epoch)
        .map(parse, num_parallel_calls=tf.data.AUTOTUNE)
        .flat_map(cut_and_weigh)
        .map(complete)
        .skip(skipped * share.replicas)
    )
    left = steps * (1 if epochs is None else epochs) - first_step
    return finish(dataset, left * share.replicas)


def recency_weights(
    places: tf.Tensor, records: int, recency: float
) -> tf.Tensor:
    """Returns what sequences weigh by their age, 1 in the mean of the log.

        w = exp(-age / recency) / mean exp(-age / recency)

    with age the share of the log that is newer.

    Args:
        places: int64 `[n]`, places in the log, from 0, the oldest.
        records: Number of sequences of the log.
        recency: See above.

    Returns:
        float32 `[n]`.
    """
    # Ages from the newest, which leaves the quotient as it is. The sum over all
    # is a geometric one. Beyond these steps the newest has all the weight, or
    # all have the same.
    step = np.clip(1.0 / (records * recency), 1e-12, 1e3)
    total = np.expm1(-step * records) / np.expm1(-step)
    newer = tf.cast(records - 1 - places, tf.float32)
    return tf.exp(-newer * step) * (records / total)


def _one_more_each_time() -> tf.data.Dataset:
    """Gives one number, int64: how often it was read before."""
    # A variable and no Python generator, which would slow what comes after.
    with tf.init_scope():
        times = tf.Variable(-1, dtype=tf.int64, trainable=False)
    return tf.data.Dataset.range(1).map(lambda _: times.assign_add(1))


@tf.autograph.experimental.do_not_convert
def evaluation_batches(
    files: Sequence[str],
    records: int,
    *,
    batch_size: int,
    num_items: int,
    exclude_history: bool,
) -> tf.data.Dataset:
    """Streams every record of an evaluation split once, in a fixed order.

    Args:
        files: Paths of the shards.
        records: Number of records in all shards.
        batch_size: Largest number of rows of a batch.
        num_items: Size of the vocabulary. Targets above it are `unseen`.
        exclude_history: Whether the protocol leaves the items of the history
            out of the ranking.

    Returns:
        Dataset of `EvaluationBatch`, with whole histories, and no `excluded`
        (m = 0) if the history is not.
    """
    plan = cut(records, batch_size)

    def parse(
        index: tf.Tensor,
        window: tuple[tf.Tensor, tf.Tensor],
        batches: tf.Tensor,
    ):
        numbers, rows = window
        columns = parse_records(rows, ("items", "targets"))
        history = columns["items"]
        targets = _unique(columns["targets"])
        columns = {
            "history": history,
            "targets": tf.minimum(targets, unseen(num_items)),
            "excluded": (
                _unique(history) if exclude_history else history[:, :0]
            ),
            "user": columns["user"],
            "record": numbers,
        }
        return sort_by_length(columns, by="history"), tf.range(batches)

    rows = read_shards(tf.constant(files)).enumerate()
    dataset = (
        deal(rows.batch(max(plan.windows)), plan)
        .map(parse, num_parallel_calls=tf.data.AUTOTUNE)
        .flat_map(cut_window)
        .map(lambda columns: EvaluationBatch.of(**columns))
    )
    return finish(dataset, sum(plan.batches))


def _unique(rows: tf.RaggedTensor) -> tf.RaggedTensor:
    """Drops repetitions within each row, keeping the first of each."""
    # One key per (row, item), so that one pass serves all rows. Its result
    # is in order of appearance, hence still row by row.
    base = tf.reduce_max(rows.values) + 1
    keys = tf.unique(rows.value_rowids() * base + rows.values).y
    return tf.RaggedTensor.from_value_rowids(
        keys % base, keys // base, nrows=rows.nrows()
    )
