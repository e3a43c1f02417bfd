"""The rows of a batch whose parts lie on several replicas."""

import tensorflow as tf


def require_two(values: tf.Tensor) -> None:
    """Raises if there is one sequence alone, on all replicas together.

    Args:
        values: `[batch, ...]`, this replica's part.

    Raises:
        tf.errors.InvalidArgumentError: See above.
    """
    replicas = tf.distribute.get_replica_context().num_replicas_in_sync
    tf.debugging.assert_greater(
        tf.shape(values)[0] * replicas,
        1,
        "The contrastive term compares the sequences of a batch and needs "
        "two at least, and one on each device. Raise `--batch_size`, or "
        "set `--contrastive_weight=0`.",
    )


def next_rows(values: tf.Tensor) -> tf.Tensor:
    """Rolls rows by one along the global batch, across replicas.

    A row from another replica is cut or padded with 0 to the length here:
    replicas that read alone pad each for itself.

    Args:
        values: `[batch, length, dim]`, this replica's part, at least one row.
    """
    replica = tf.distribute.get_replica_context()
    count = replica.num_replicas_in_sync
    if count == 1:
        return tf.roll(values, 1, 0)
    before = (replica.replica_id_in_sync_group - 1) % count
    length = tf.shape(values)[1]
    lengths = replica.all_gather(length[None], axis=0)
    # The last rows of all, one after the other.
    last = tf.reshape(values[-1:], [-1, values.shape[-1]])
    rows = replica.all_gather(last, axis=0)
    row = rows[tf.reduce_sum(lengths[:before]) :][: lengths[before]][:length]
    row = tf.pad(row, [[0, length - tf.shape(row)[0]], [0, 0]])
    return tf.concat([row[None], values[:-1]], 0)


def sum_of_replicas(value: tf.Tensor) -> tf.Tensor:
    """Returns the sum of a value, of any shape, over all replicas."""
    replica = tf.distribute.get_replica_context()
    return replica.all_reduce(tf.distribute.ReduceOp.SUM, value)


def all_rows(values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the rows of the global batch, cut or padded to the length here.

    Args:
        values: `[batch, length, dim]`, this replica's part.

    Returns:
        `[global batch, length, dim]`, and which of them is the first here.
    """
    replica = tf.distribute.get_replica_context()
    if replica.num_replicas_in_sync == 1:
        return values, tf.constant(0)
    rows, length = tf.unstack(tf.shape(values)[:2])
    counts = replica.all_gather(rows[None], axis=0)
    longest = tf.reduce_max(replica.all_gather(length[None], axis=0))
    padded = tf.pad(values, [[0, 0], [0, longest - length], [0, 0]])
    first = tf.reduce_sum(counts[: replica.replica_id_in_sync_group])
    return replica.all_gather(padded, axis=0)[:, :length], first
