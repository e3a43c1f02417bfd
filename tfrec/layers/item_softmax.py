"""The softmax over all items, and its loss without the logits in memory."""

import keras
import tensorflow as tf

# Positions whose logits are alive at once. A block of 256 x 3,500 logits is
# 3.6 MB and stays in the cache of the core that computes it.
_BLOCK = 256


class ItemSoftmax(keras.layers.Layer):
    """A categorical distribution over items from hidden states.

    Args:
        num_items: Number of items.
        label_smoothing: Share of each target spread evenly over all items.
    """

    def __init__(self, num_items: int, label_smoothing: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        self.num_items = num_items
        self.label_smoothing = label_smoothing

    def build(self, input_shape):
        """Creates the item vectors, `[num_items, dim]`, and biases."""
        self.kernel = self.add_weight(
            name="kernel", shape=[self.num_items, input_shape[-1]]
        )
        self.bias = self.add_weight(
            name="bias", shape=[self.num_items], initializer="zeros"
        )

    def call(self, hidden: tf.Tensor) -> tf.Tensor:
        """Returns log-probabilities, float32 `[..., num_items]`."""
        logits = tf.matmul(hidden, self.kernel, transpose_b=True) + self.bias
        return tf.nn.log_softmax(tf.cast(logits, tf.float32))

    def loss(
        self, hidden: tf.Tensor, items: tf.Tensor, weights: tf.Tensor
    ) -> tf.Tensor:
        """Returns the weighted sum of negative log-likelihoods.

        Args:
            hidden: float `[n, dim]`, one row per predicted position.
            items: int32 `[n]`, the items that came.
            weights: float32 `[n]`.

        Returns:
            float32 scalar.
        """
        return softmax_loss(
            hidden,
            tf.cast(self.kernel, self.compute_dtype),
            tf.cast(self.bias, self.compute_dtype),
            items - 1,
            weights,
            self.label_smoothing,
        )


def softmax_loss(hidden, kernel, bias, columns, weights, label_smoothing):
    """Sums w_i * cross entropy(softmax(kernel h_i + bias), column_i).

    Positions are taken block by block, and the gradient, a sum over positions
    like the loss, is added up in the same pass. The logits, the largest array
    of training by far, are never held for more than one block and are read
    while still in cache.
    """

    @tf.custom_gradient
    def total(hidden, kernel, bias):
        rows = tf.shape(hidden)[0]
        num_items = tf.shape(kernel)[0]
        spread = label_smoothing / tf.cast(num_items, tf.float32)

        def block(start, loss, blocks, d_kernel, d_bias):
            stop = tf.minimum(start + _BLOCK, rows)
            h, w = hidden[start:stop], weights[start:stop]
            logits = tf.nn.bias_add(
                tf.matmul(h, kernel, transpose_b=True), bias
            )
            logits = tf.cast(logits, tf.float32)
            # The op returns the gradient, softmax - one_hot, with the loss.
            each, d_logits = tf.raw_ops.SparseSoftmaxCrossEntropyWithLogits(
                features=logits, labels=columns[start:stop]
            )
            if label_smoothing:
                # (1 - s) (lse - l_target) + s (lse - mean l), and its gradient
                # softmax - (1 - s) one_hot - s / num_items.
                target = tf.gather(logits, columns[start:stop], batch_dims=1)
                mean = tf.reduce_mean(logits, -1)
                each += label_smoothing * (target - mean)
                places = tf.stack(
                    [tf.range(stop - start), columns[start:stop]], -1
                )
                d_logits = tf.tensor_scatter_nd_add(
                    d_logits - spread,
                    places,
                    tf.fill([stop - start], label_smoothing),
                )
            d_logits = tf.cast(d_logits * w[:, None], h.dtype)
            return (
                stop,
                loss + tf.reduce_sum(each * w),
                blocks.write(start // _BLOCK, d_logits @ kernel),
                d_kernel
                + tf.cast(tf.matmul(d_logits, h, transpose_a=True), tf.float32),
                d_bias + tf.cast(tf.reduce_sum(d_logits, 0), tf.float32),
            )

        _, loss, blocks, d_kernel, d_bias = tf.while_loop(
            lambda start, *_: start < rows,
            block,
            (
                0,
                0.0,
                tf.TensorArray(
                    hidden.dtype,
                    (rows + _BLOCK - 1) // _BLOCK,
                    infer_shape=False,
                    element_shape=[None, hidden.shape[-1]],
                ),
                tf.zeros(tf.shape(kernel)),
                tf.zeros(tf.shape(bias)),
            ),
            parallel_iterations=1,
        )

        def gradient(upstream):
            def scaled(value, like):
                return tf.cast(
                    upstream * tf.cast(value, tf.float32), like.dtype
                )

            return (
                scaled(blocks.concat(), hidden),
                scaled(d_kernel, kernel),
                scaled(d_bias, bias),
            )

        return loss, gradient

    return total(hidden, kernel, bias)
