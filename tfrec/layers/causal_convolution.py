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
        """Maps `[batch, length, channels]` to `[batch, length, filters]`.

        With a kernel of 1, `[..., channels]` to `[..., filters]`.
        """
        windows = inputs
        if self.kernel_size > 1:
            windows = causal_windows(inputs, self.kernel_size)
        product = tf.tensordot(windows, self.kernel, 1)
        return tf.nn.bias_add(product, self.bias)


def causal_windows(inputs: tf.Tensor, size: int) -> tf.Tensor:
    """Lays each position beside the `size` - 1 before it, oldest first.

    Args:
        inputs: `[batch, length, channels]`.
        size: Positions in a window.

    Returns:
        `[batch, length, size * channels]`, zeros before the sequence.
    """

    @tf.custom_gradient
    def lay(inputs):
        def shift(values, by):
            """Moves values by positions to the later (or the earlier)."""
            length = tf.shape(values)[1]
            padded = tf.pad(values, [[0, 0], [max(by, 0), max(-by, 0)], [0, 0]])
            start = max(-by, 0)
            return padded[:, start : start + length]

        windows = tf.concat(
            [shift(inputs, by) for by in reversed(range(size))], -1
        )

        def gradient(upstream):
            # Automatic differentiation would write a full array of zeros for
            # each of the slices.
            parts = tf.split(upstream, size, axis=-1)
            return tf.add_n(
                [
                    shift(part, -by)
                    for part, by in zip(
                        parts, reversed(range(size)), strict=True
                    )
                ]
            )

        return windows, gradient

    return lay(inputs)
