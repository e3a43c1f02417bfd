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
    while still in cache. With p = softmax and target distribution y (one-hot,
    smoothed by s over N items), d loss / d logits = w (p - y): the loop adds
    up the part with p; the part with y needs no logits.
    """

    @tf.custom_gradient
    def total(hidden, kernel, bias):
        rows = tf.shape(hidden)[0]
        weighted = hidden * tf.cast(weights, hidden.dtype)[:, None]

        def block(start, probabilities, blocks, d_kernel, d_bias):
            stop = tf.minimum(start + _BLOCK, rows)
            p = tf.nn.softmax(
                tf.nn.bias_add(
                    tf.matmul(hidden[start:stop], kernel, transpose_b=True),
                    bias,
                )
            )
            target = tf.gather(p, columns[start:stop], batch_dims=1)
            index = start // _BLOCK
            return (
                stop,
                probabilities.write(index, target),
                blocks.write(index, p @ kernel),
                d_kernel + tf.matmul(p, weighted[start:stop], transpose_a=True),
                d_bias
                + tf.linalg.matvec(p, weights[start:stop], transpose_a=True),
            )

        count = (rows + _BLOCK - 1) // _BLOCK
        _, probabilities, blocks, d_kernel, d_bias = tf.while_loop(
            lambda start, *_: start < rows,
            block,
            (
                0,
                tf.TensorArray(
                    hidden.dtype, count, infer_shape=False, element_shape=[None]
                ),
                tf.TensorArray(
                    hidden.dtype,
                    count,
                    infer_shape=False,
                    element_shape=[None, hidden.shape[-1]],
                ),
                tf.zeros_like(kernel),
                tf.zeros_like(bias),
            ),
            parallel_iterations=1,
        )
        # y, the smoothed target distribution: keep on one item, spread on all.
        keep = 1.0 - label_smoothing
        spread = label_smoothing / tf.cast(tf.shape(kernel)[0], hidden.dtype)
        chosen = tf.gather(kernel, columns)
        kernel_sum = tf.reduce_sum(kernel, 0)
        # Clipped so that a probability that underflows costs log(1e38), not
        # infinity; its gradient, taken from p, is not affected.
        each = -tf.math.log(tf.maximum(probabilities.concat(), 1e-38))
        if label_smoothing:
            # -sum_j y_j log p_j = -log p_target + s (l_target - mean of l),
            # and a mean of logits is the logit of the mean item.
            target = tf.reduce_sum(hidden * chosen, -1)
            target += tf.gather(bias, columns)
            total_logit = tf.linalg.matvec(hidden, kernel_sum)
            total_logit += tf.reduce_sum(bias)
            each += label_smoothing * target - spread * total_logit
        loss = tf.reduce_sum(each * weights)

        def gradient(upstream):
            def by_item(values):
                return tf.math.unsorted_segment_sum(
                    values, columns, tf.shape(kernel)[0]
                )

            d_hidden = blocks.concat() - keep * chosen - spread * kernel_sum
            d_kernel_y = keep * by_item(weighted)
            d_kernel_y += spread * tf.reduce_sum(weighted, 0)
            d_bias_y = keep * by_item(weights)
            d_bias_y += spread * tf.reduce_sum(weights)
            return (
                upstream * weights[:, None] * d_hidden,
                upstream * (d_kernel - d_kernel_y),
                upstream * (d_bias - d_bias_y),
            )

        return loss, gradient

    return total(hidden, kernel, bias)
