"""From TFRecord shards to padded batches, with tf.data.

The work is done per window of about 32 batches, not per record: one
`parse_example` for the window (7 times faster than record by record), one
sort by length, then slices of it are padded. So the rows of a batch have
nearly equal lengths and little is spent on padding.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

# A window is sorted by length and cut into about this many batches: enough
# that the rows of a batch are alike, few enough that a window is small.
BATCHES_PER_WINDOW = 32

# Serialized records held for shuffling, in bytes of memory: the whole of most
# datasets, which are then shuffled perfectly.
SHUFFLE_BYTES = 256 << 20
# What TensorFlow adds to each buffered string.
_BYTES_PER_STRING = 150


class Cut(NamedTuple):
    """How the records of an epoch are cut into windows.

    Attributes:
        windows: Number of records of each window.
        batches: Number of batches of each window.
    """

    windows: list[int]
    batches: list[int]


def cut(records: int, batch_size: int) -> Cut:
    """Cuts an epoch into windows and batches of nearly equal size.

    Neither windows nor the batches of a window differ by more than one
    record, so no small remainder is left over. A contrastive term needs two
    rows: with a `batch_size` of at least 2, no row is alone in a batch unless
    there is only one record; for that a `batch_size` of 2 may give 3 rows.

    Args:
        records: Number of records of an epoch.
        batch_size: Largest number of rows.
    """
    count = math.ceil(records / (BATCHES_PER_WINDOW * batch_size))
    windows = _balanced(records, count)
    batches = [math.ceil(size / batch_size) for size in windows]
    if batch_size > 1:
        batches = [
            min(count, max(1, size // 2))
            for count, size in zip(batches, windows, strict=True)
        ]
    return Cut(windows, batches)


def _balanced(total: int, parts: int) -> list[int]:
    """Splits `total` into `parts` whole numbers that differ by at most 1."""
    return [total * (i + 1) // parts - total * i // parts for i in range(parts)]


def training_batches(
    files: Sequence[str],
    records: int,
    record_bytes: float,
    *,
    batch_size: int,
    max_length: int,
    seed: int,
    with_targets: bool,
    epochs: int,
    first_step: int,
) -> tf.data.Dataset:
    """Streams the training batches of several epochs.

    Every batch depends only on the files, `seed` and its place in its epoch,
    so a run that stopped after step s continues with `first_step=s`.

    Args:
        files: Paths of the shards.
        records: Number of records in them.
        record_bytes: Mean size of a record.
        batch_size: Largest number of rows of a batch.
        max_length: Longest input; rows have at most one item more, as inputs
            and outputs are shifted by one. The newest items are kept.
        seed: Any integer.
        with_targets: Whether the targets follow the items.
        epochs: Number of epochs.
        first_step: Number of batches to leave out at the start.

    Returns:
        Batches {items: int32 [batch, length] padded with 0 at the end,
        weight: float32 [batch]}. The weights of a global batch sum to 1 and
        stay so when a strategy splits it over replicas.
    """
    plan = cut(records, batch_size)
    steps = sum(plan.batches)
    first_epoch, skipped = divmod(first_step, steps)
    buffer = int(SHUFFLE_BYTES / (record_bytes + _BYTES_PER_STRING))

    def epoch_windows(epoch: tf.Tensor) -> tf.data.Dataset:
        # Dataset.shuffle mixes its seed with that of the graph, here the
        # graph of this function. Fixed, the order depends on nothing global.
        tf.random.set_seed(0)
        key = tf.stack([tf.constant(seed, tf.int64), epoch])
        file_key, record_key, batch_key = tf.unstack(tf.random.split(key, 3))
        shuffled = tf.random.experimental.stateless_shuffle(files, file_key)
        order = tf.random.stateless_uniform(
            [], record_key, minval=None, maxval=None, dtype=tf.int64
        )
        windows = _read(shuffled).shuffle(
            min(records, buffer), seed=order, reshuffle_each_iteration=False
        )
        return _windows(windows, plan).map(
            lambda index, window, batches: (
                window,
                tf.random.experimental.stateless_shuffle(
                    tf.range(batches), tf.random.fold_in(batch_key, index)
                ),
                batches,
            )
        )

    def parse(window, order, batches):
        parsed = _parse(window, ["items", "targets"] if with_targets else ["items"])
        ...
