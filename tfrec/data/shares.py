"""How an epoch is cut into batches, and divided among the workers of a job.

A worker's share is a range of the records, as the shards follow each other in
that epoch; it reads only the shards that the range touches, whole ones where
their number is a multiple of the workers'. All shares are cut into the same
number of batches; those of a step, one for each replica, together are the
global batch. All sizes follow from numbers that every worker knows, so they
need not tell each other.
"""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfrec.errors import InputError

# Records of a shard that are read before those of the next shard.
BLOCK = 16
# A window is sorted by length and cut into about this many batches: enough
# that the rows of a batch are alike, few enough that a window stays small.
_BATCHES_PER_WINDOW = 32


class Cut(NamedTuple):
    """How an epoch is cut: the records and the batches of each window."""

    windows: list[int]
    batches: list[int]


def cut(records: int, batch_size: int) -> Cut:
    """Cuts an epoch into windows, and these into batches, of like size.

    The sizes of the windows differ by at most one, and so do those of the
    batches in a window: there is no small remainder. A contrastive term needs
    two rows, so a row is alone in its batch only if there is one record or
    `batch_size` is 1; for that a `batch_size` of 2 can give batches of 3.

    Args:
        records: Number of records in an epoch.
        batch_size: Largest number of rows in a batch.

    Raises:
        InputError: If `batch_size` is below 1.
    """
    if batch_size < 1:
        raise InputError(
            f"`batch_size` must be at least 1. Received: {batch_size}."
        )
    count = math.ceil(records / (_BATCHES_PER_WINDOW * batch_size))
    windows = _even_cut(records, count)
    fewest = min(batch_size, 2)
    batches = [
        max(1, min(math.ceil(size / batch_size), size // fewest))
        for size in windows
    ]
    return Cut(windows, batches)


class Share(NamedTuple):
    """What one worker reads of an epoch.

    Attributes:
        counts: Number of records of each worker.
        first: Number of this worker's first record, in the order of the
            shards.
        windows: Number of its records in each window.
        replicas: Its replicas.
    """

    counts: list[int]
    first: int
    windows: list[int]
    replicas: int

    def global_rows(self, window: tf.Tensor, batches: tf.Tensor) -> tf.Tensor:
        """Returns the rows of each batch of a window, of all workers.

        Args:
            window: int64, the window's number.
            batches: int64, the number of its batches.

        Returns:
            int64 [batches].
        """
        counts = tf.constant(self.counts, tf.int64)
        windows = len(self.windows)
        rows = counts * (window + 1) // windows - counts * window // windows
        ends = rows * tf.range(batches + 1)[:, None] // batches
        return tf.reduce_sum(ends[1:] - ends[:-1], 1)


def share_of(
    records: int,
    batches: list[int],
    context: tf.distribute.InputContext | None = None,
) -> Share:
    """Returns the share of a worker.

    The shares differ by at most one record. A worker's records are dealt to
    as many windows as the epoch has, evenly.

    Args:
        records: Number of records in an epoch.
        batches: Number of batches in each window.
        context: Which worker this is, of how many, and how many replicas all
            have; None: the only one.

    Raises:
        InputError: If a replica would be without a row in some step.
    """
    context = context or tf.distribute.InputContext()
    workers = context.num_input_pipelines
    worker = context.input_pipeline_id
    replicas = context.num_replicas_in_sync // workers
    counts = _even_cut(records, workers)
    windows = {n: _even_cut(n, len(batches)) for n in set(counts)}
    if any(
        rows < count * replicas
        for each in windows.values()
        for rows, count in zip(each, batches, strict=True)
    ):
        raise InputError(
            f"`--batch_size` must leave each of {workers * replicas} devices a "
            f"sequence of each of the {sum(batches)} batches that the "
            f"{records} sequences make. Raise it, or take fewer workers."
        )
    return Share(
        counts, sum(counts[:worker]), windows[counts[worker]], replicas
    )


def whole_shares(
    shards: tf.Tensor, counts: Sequence[int], workers: int
) -> tf.Tensor:
    """Reorders an epoch's shards so that shares end where shards do.

    Records are dealt to the shards in turn, so that some have one more than
    the others. Where each worker gets as many of these as its share asks for,
    the shares of `share_of` are whole shards; else a worker may have to read a
    shard for one record. Shards that cannot be divided so stay as they are.

    Args:
        shards: int32 [shards], their numbers in random order.
        counts: Number of records of each.
        workers: Number of workers.

    Returns:
        int32 [shards]; each worker's in the order that they had.
    """
    fewest = min(counts)
    each, rest = divmod(len(counts), workers)
    if rest or max(counts) > fewest + 1:
        return shards
    longer = _even_cut(sum(counts) - len(counts) * fewest, workers)
    shorter = [each - number for number in longer]
    # Whose the longer shards are in turn, and then the shorter ones.
    owners = [np.repeat(range(workers), n) for n in (longer, shorter)]
    long = tf.gather(tf.constant(counts, tf.int64), shards) > fewest
    places = tf.concat([tf.where(long), tf.where(~long)], 0)[:, 0]
    order = tf.argsort(np.concatenate(owners) * len(counts) + places)
    return tf.gather(shards, tf.gather(places, order))


def read_share(
    files: tf.Tensor,
    counts: tf.Tensor,
    share: Share,
    at_once: int,
    places: tf.Tensor | None = None,
) -> tf.data.Dataset:
    """Reads the serialized records of a share.

    Args:
        files: string [shards], in this epoch's order.
        counts: int64 [shards], the number of records of each.
        share: What to read.
        at_once: Number of shards whose records are interleaved.
        places: int64 [shards, 2], the place of its first record in the log,
            and from each record to the next, to know those of the records.

    Returns:
        Dataset of records, string []; with `places` of pairs of a record and
        its place, int64 [].
    """
    ends = tf.cumsum(counts)
    starts = ends - counts
    last = share.first + sum(share.windows)
    skipped = tf.maximum(share.first - starts, 0)
    taken = tf.minimum(ends, last) - starts - skipped
    touched = taken > 0
    parts = [files, skipped, taken]
    if places is not None:
        parts += tf.unstack(places, axis=1)

    def read(file, skip, take, first=None, step=None):
        records = tf.data.TFRecordDataset(file).skip(skip).take(take)
        if first is None:
            return records
        start = first + skip * step
        numbers = tf.data.Dataset.range(start, start + take * step, step)
        return tf.data.Dataset.zip(records, numbers)

    parts = tuple(part[touched] for part in parts)
    return tf.data.Dataset.from_tensor_slices(parts).interleave(
        read, cycle_length=at_once, block_length=BLOCK
    )


def _even_cut(number: int, parts: int) -> list[int]:
    """Cuts a number into parts that differ by at most one."""
    ends = [number * i // parts for i in range(parts + 1)]
    return [end - start for start, end in itertools.pairwise(ends)]
