"""A few fixed shapes, so that what is compiled for one is used again.

TensorFlow keeps a compiled primitive of oneDNN for each shape of a product,
and thread. Were nearly every batch of a shape of its own, a training would hold
more memory the longer it runs, and compile in every step.
"""

from typing import NamedTuple

import tensorflow as tf

# Sizes from one power of two to the next; padding adds a sixteenth at most.
_SIZES = 16


def fixed_size(size: tf.Tensor) -> tf.Tensor:
    """Rounds up to one of a few sizes: 1 to 32, 34, ... 64, 68, ... 128, ...

    Args:
        size: int, any shape, at least 0.

    Returns:
        Of the type and shape of `size`; at most a sixteenth larger.
    """
    octave = tf.math.log(tf.cast(tf.maximum(size, 1), tf.float64))
    octave = tf.floor(octave / tf.math.log(tf.constant(2.0, tf.float64)))
    step = tf.cast(2.0 ** tf.maximum(octave, 4.0), size.dtype) // _SIZES
    return (size + step - 1) // step * step


class Positions(NamedTuple):
    """Positions of a padded batch whose targets count, one after the other.

    So many rows of weight 0 follow, which read the first position of the
    first sequence, that their number is one of a few.

    Attributes:
        places: int64 `[n, 2]`, sequence and position.
        weights: float32 `[n]`, the weight of each one's sequence, or 0.
    """

    places: tf.Tensor
    weights: tf.Tensor

    @classmethod
    def where(cls, valid: tf.Tensor, weight: tf.Tensor) -> "Positions":
        """Finds the valid positions.

        Args:
            valid: bool `[batch, length]`.
            weight: float32 `[batch]`.
        """
        places = tf.where(valid)
        weights = tf.gather(weight, places[:, 0])
        count = tf.shape(places)[0]
        more = [[0, fixed_size(count) - count]]
        return cls(tf.pad(places, [*more, [0, 0]]), tf.pad(weights, more))

    def read(self, values: tf.Tensor) -> tf.Tensor:
        """Returns `values`, `[batch, length, ...]`, there: `[n, ...]`."""
        return tf.gather_nd(values, self.places)

    def sum(self, values: tf.Tensor) -> tf.Tensor:
        """Returns the weighted sum of `values`, `[n]`."""
        return tf.reduce_sum(self.weights * values)
