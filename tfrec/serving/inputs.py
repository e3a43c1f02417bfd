"""What signatures make of their inputs."""

from typing import NamedTuple

import tensorflow as tf


class Among(NamedTuple):
    """Which items may be recommended.

    Attributes:
        allowed: int32 `[batch, n]`, 0 for none.
        named: bool `[batch, 1]`, whether only these may.
        denied: int32 `[batch, m]`, 0 for none.
    """

    allowed: tf.Tensor
    named: tf.Tensor
    denied: tf.Tensor


def matched(history: tf.Tensor, other: tf.Tensor, name: str) -> tf.Tensor:
    """Returns the history, once it is checked that both have as many rows."""
    check = tf.debugging.assert_equal(
        tf.shape(history)[0],
        tf.shape(other)[0],
        f"`{name}` must have a row for each row of `history`.",
    )
    # Or what fails for the same reason might come first.
    with tf.control_dependencies([check]):
        return tf.identity(history)


def is_there(known: tf.Tensor) -> tf.Tensor:
    """Returns which rows have an item, bool `[batch, 1]`."""
    return known[:, :1] > 0
