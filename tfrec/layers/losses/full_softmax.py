"""The loss of a softmax over all items, without the logits in memory."""

import functools

import tensorflow as tf

from tfrec.layers.losses.evidence import Evidence
from tfrec.layers.losses.histories import Histories

# Positions whose logits are alive at once. With 3,500 to 100,000 items neither
# 64 to 384 nor 1,024 of them are faster by more than 5%.
_BLOCK = 512


def softmax_loss(
    hidden: tf.Tensor,
    kernel: tf.Tensor,
    bias: tf.Tensor,
    columns: tf.Tensor,
    shares: tf.Tensor,
    weights: tf.Tensor,
    label_smoothing: float = 0.0,
    matmul_dtype: str = "float32",
    histories: Histories | None = None,
    evidence: Evidence | None = None,
) -> tf.Tensor:
    """Sums w_i * cross entropy(y_i, softmax(kernel h_i + bias + g_i e_i)).

    Positions are taken block by block, and the gradient, a sum over positions
    like the loss, is added up in the same pass. The logits, the largest array
    of training by far, are never held for more than one block and are read
    while still in cache. With p = softmax and target distribution y, the
    gradient of the logits is w (p - y): the loop adds up the part with p; the
    part with y needs no logits.

    With share s of the target spread evenly, the cross entropy is that of y
    plus s (mean logit of y - mean logit of the items), and a mean of logits is
    the logit of the mean item: no other pass over the logits either.

    In a narrow type the products are so fast that each pass over the logits
    counts. There the bias is two more columns of the product that makes the
    logits, which stay narrow and become p in one pass, and its gradient two
    more columns of the product that makes the item vectors' gradient. In
    float32 more columns cost more than the passes that they spare.

    Args:
        hidden: float32 `[n, dim]`.
        kernel: float32 `[num_items, dim]`.
        bias: float32 `[num_items]`.
        columns: int32 `[n, k]`, the columns of the targets.
        shares: float32 `[n, k]`, target probabilities, summing to 1 per row.
        weights: float32 `[n]`.
        label_smoothing: Share of the target spread evenly over all items, or
            over those that the history lacks.
        matmul_dtype: Type of the products' inputs, and of the logits.
        histories: Items that have probability 0 at each position, but for its
            targets; none by default.
        evidence: g and e; none by default.

    Returns:
        float32 scalar.
    """
    targets_per_row = columns.shape[1]
    narrow = tf.as_dtype(matmul_dtype)

    gates = evidence.gates if evidence else tf.zeros_like(weights)

    @tf.custom_gradient
    def total(hidden, kernel, bias, gates):
        rows = tf.shape(hidden)[0]
        weighted = hidden * weights[:, None]
        vectors = tf.cast(kernel, narrow)
        biases = _columns(bias, narrow)
        states, weighted_states, biased_vectors = (
            tf.concat([tf.cast(matrix, narrow), more], 1)
            for matrix, more in (
                (hidden, tf.ones([rows, biases.shape[1]], narrow)),
                (weighted, _columns(weights, narrow)),
                (kernel, biases),
            )
        )

        def block(start, before, parts, d_kernel, d_bias):
            probabilities, blocks, surprises = parts
            stop = tf.minimum(start + _BLOCK, rows)
            logits = tf.matmul(
                states[start:stop], biased_vectors, transpose_b=True
            )
            if not biases.shape[1]:
                logits = tf.nn.bias_add(logits, bias)
            if evidence:
                known, before = evidence.block(start, stop, before)
                logits = tf.cast(logits, tf.float32)
                logits += gates[start:stop, None] * known
            if histories:
                named = tf.where(
                    shares[start:stop] > 0, columns[start:stop], -1
                )
                penalties = histories.cut(start, stop).penalties(
                    tf.shape(kernel)[0], named
                )
                logits += tf.cast(penalties, logits.dtype)
            if not _softmax_is_exact(logits.dtype):
                logits = tf.cast(logits, tf.float32)
            p = tf.nn.softmax(logits)
            target = tf.gather(p, columns[start:stop], batch_dims=1)
            # The gradient of the gates, but for the weights.
            surprise = tf.zeros([stop - start, 1])
            if evidence:
                told = tf.gather(known, columns[start:stop], batch_dims=1)
                surprise = tf.reduce_sum(p * known, 1, keepdims=True)
                surprise -= tf.reduce_sum(
                    shares[start:stop] * told, 1, keepdims=True
                )
            if not biases.shape[1]:
                d_bias += tf.linalg.matvec(
                    p, weights[start:stop], transpose_a=True
                )
            p = tf.cast(p, narrow)
            d_kernel += tf.cast(
                tf.matmul(p, weighted_states[start:stop], transpose_a=True),
                tf.float32,
            )
            index = start // _BLOCK
            return (
                stop,
                before,
                (
                    probabilities.write(index, tf.cast(target, tf.float32)),
                    blocks.write(index, tf.cast(p @ vectors, tf.float32)),
                    surprises.write(index, surprise),
                ),
                d_kernel,
                d_bias,
            )

        def pieces(width):
            return tf.TensorArray(
                tf.float32,
                (rows + _BLOCK - 1) // _BLOCK,
                infer_shape=False,
                element_shape=[None, width],
            )

        _, _, parts, d_kernel, d_bias = tf.while_loop(
            lambda start, *_: start < rows,
            block,
            (
                0,
                tf.zeros_like(bias),
                (
                    pieces(targets_per_row),
                    pieces(hidden.shape[-1]),
                    pieces(1),
                ),
                tf.zeros_like(biased_vectors, tf.float32),
                tf.zeros_like(bias),
            ),
            parallel_iterations=1,
        )
        probabilities, blocks, surprises = (part.concat() for part in parts)
        if biases.shape[1]:
            dim = kernel.shape[1]
            d_bias = tf.reduce_sum(d_kernel[:, dim:], 1)
            d_kernel = d_kernel[:, :dim]
        keep = 1.0 - label_smoothing
        # The mean target vector of each row; k is small, so one at a time.
        chosen = sum(
            shares[:, j, None] * tf.gather(kernel, columns[:, j])
            for j in range(targets_per_row)
        )
        # Clipped so that a probability that underflows costs log(1e37), not
        # infinity; its gradient, taken from p, is not affected.
        log_target = tf.math.log(tf.maximum(probabilities, 1e-37))
        each = -tf.reduce_sum(shares * log_target, 1)
        if label_smoothing:
            target = tf.reduce_sum(hidden * chosen, 1) + tf.reduce_sum(
                shares * tf.gather(bias, columns), 1
            )
            each += label_smoothing * target
        loss = tf.reduce_sum(each * weights)

        def gradient(upstream):
            d_hidden = blocks - keep * chosen
            d_kernel_y, d_bias_y = 0.0, 0.0
            for j in range(targets_per_row):
                share = keep * shares[:, j]
                for_item = [columns[:, j], tf.shape(kernel)[0]]
                d_kernel_y += tf.math.unsorted_segment_sum(
                    share[:, None] * weighted, *for_item
                )
                d_bias_y += tf.math.unsorted_segment_sum(
                    share * weights, *for_item
                )
            return (
                upstream * weights[:, None] * d_hidden,
                upstream * (d_kernel - d_kernel_y),
                upstream * (d_bias - d_bias_y),
                upstream * weights * surprises[:, 0],
            )

        return loss, gradient

    loss = total(hidden, kernel, bias, gates)
    if label_smoothing:
        if histories:
            vector, offset = histories.mean_of_others(kernel, bias)
        else:
            vector, offset = tf.reduce_mean(kernel, 0), tf.reduce_mean(bias)
        mean = tf.reduce_sum(hidden * vector, 1) + offset
        loss -= label_smoothing * tf.reduce_sum(weights * mean)
    return loss


@functools.cache
def _softmax_is_exact(dtype: tf.DType) -> bool:
    """Returns whether a softmax of this type is added up in float32 here.

    oneDNN does so, on processors whose bfloat16 it uses. TensorFlow's own adds
    up in bfloat16: with 43,000 random logits p was wrong by up to 4%.
    """
    with tf.init_scope():
        logits = tf.cast(tf.sin(tf.range(2.0**14))[None], dtype)
        exact = tf.nn.softmax(tf.cast(logits, tf.float32))
        error = tf.cast(tf.nn.softmax(logits), tf.float32) / exact - 1.0
        # Rounding takes 2^-8 of a number at most.
        return bool(tf.reduce_max(tf.abs(error)) < 2.0**-7)


def _columns(vector: tf.Tensor, narrow: tf.DType) -> tf.Tensor:
    """Returns two columns of a narrower type whose sum is the vector.

    The second is what rounding takes from the first. None for float32.
    """
    if narrow == vector.dtype:
        return tf.zeros([tf.size(vector), 0], narrow)
    rounded = tf.cast(vector, narrow)
    rest = tf.cast(vector - tf.cast(rounded, vector.dtype), narrow)
    return tf.stack([rounded, rest], 1)
