"""The loss of a softmax over a sample of the items: sampled softmax.

Jean, Cho, Memisevic, Bengio: On Using Very Large Target Vocabulary for Neural
Machine Translation (ACL 2015), section 3. https://arxiv.org/abs/1412.2007
"""

import tensorflow as tf

from tfrec.layers.losses.histories import Histories


def sampled_softmax_loss(
    hidden: tf.Tensor,
    target_vectors: tf.Tensor,
    target_offsets: tf.Tensor,
    targets: tf.Tensor,
    vectors: tf.Tensor,
    offsets: tf.Tensor,
    items: tf.Tensor,
    shares: tf.Tensor,
    weights: tf.Tensor,
    matmul_dtype: str = "float32",
    histories: Histories | None = None,
) -> tf.Tensor:
    """Sums w_i * cross entropy(y_i, softmax over targets and sample).

    Each logit is corrected by the log of the item's chance to be drawn, so
    that the gradient is that of the full softmax when the sample grows. Drawn
    items that are targets of the row ("accidental hits") are left out of its
    sum, and of a target that the row names twice one.

    Args:
        hidden: float32 `[n, dim]`.
        target_vectors: float32 `[n, k, dim]`.
        target_offsets: float32 `[n, k]`, bias less log of the chance to be
            drawn.
        targets: int `[n, k]`, the items; 0 for none.
        vectors: float32 `[drawn, dim]`.
        offsets: float32 `[drawn]`, as for the targets.
        items: int `[drawn]`, the items drawn; those of an offset near
            -infinity do not count.
        shares: float32 `[n, k]`, target probabilities, summing to 1 per row.
        weights: float32 `[n]`.
        matmul_dtype: Type of the inputs of the product with `vectors`.
        histories: Drawn items that each row leaves out of its sum; none by
            default.

    Returns:
        float32 scalar.
    """
    narrow = tf.as_dtype(matmul_dtype)
    logits = tf.matmul(
        tf.cast(hidden, narrow), tf.cast(vectors, narrow), transpose_b=True
    )
    logits = tf.nn.bias_add(tf.cast(logits, tf.float32), offsets)
    own = tf.reduce_sum(hidden[:, None] * target_vectors, -1) + target_offsets

    nothing = tf.constant(float("-inf"))
    # One target at a time: each comparison is as large as the logits.
    for j in range(targets.shape[1]):
        hits = targets[:, j, None] == items
        logits = tf.where(hits, nothing, logits)
    if histories:
        logits += histories.penalties(tf.shape(logits)[1])
    same = tf.cast(targets[:, :, None] == targets[:, None], tf.int32)
    named = tf.reduce_sum(tf.linalg.band_part(same, -1, 0), 2)
    counted = (targets > 0) & (named == 1)
    total = tf.reduce_logsumexp(
        tf.concat([tf.where(counted, own, nothing), logits], 1), 1
    )
    return tf.reduce_sum(weights * (total - tf.reduce_sum(shares * own, 1)))
