"""Looking up rows of what is read as a whole, too."""

import tensorflow as tf


def rows_of(table: tf.Variable, rows: tf.Tensor) -> tf.Tensor:
    """Looks up rows of a variable that is read as a whole elsewhere.

    `tf.gather` of the variable itself makes TensorFlow copy all of it whenever
    it is read as a whole afterwards, lest a sparse update come in between.

    Args:
        table: `[n, ...]`.
        rows: int `[...]`.
    """
    return tf.gather(tf.convert_to_tensor(table), rows)
