"""A convolution over time that never sees the future."""

import keras
import tensorflow as tf


class CausalConvolution(keras.layers.Layer):
    """One-dimensional convolution, all zero padding before the sequence.

    Output t sees inputs t - kernel_size + 1 ... t (ACVAE, section 3.4.2). The
    windows are laid side by side and multiplied once: a single large product
    is faster on a CPU than the convolution kernel and its gradient.

    Args:
        filters: Number of output channels.
        kernel_size: Number of positions a filter spans; 1 is a dense layer.
    """

    def __init__(self, filters: int, kernel_size: int, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size

    def build(self, input_shape):
        """Creates the filters: `[kernel_size * channels, filters]`."""
        self.kernel = self.add_weight(
            name="kernel",
            shape=[self.kernel_size * input_shape[-1], self.filters],
        )
        self.bias = self.add_weight(
            name="bias", shape=[self.filters], initializer="zeros"
        )

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Maps `[batch, length, channels]` to `[batch, length, filters]`."""
        length = tf.shape(inputs)[1]
        padded = tf.pad(inputs, [[0, 0], [self.kernel_size - 1, 0], [0, 0]])
        windows = tf.concat(
            [padded[:, i : i + length] for i in range(self.kernel_size)], -1
        )
        return windows @ self.kernel + self.bias
