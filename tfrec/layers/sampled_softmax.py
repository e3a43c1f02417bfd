"""The loss of a softmax over a sample of the items: sampled softmax.

Jean, Cho, Memisevic, Bengio: On Using Very Large Target Vocabulary for Neural
Machine Translation (ACL 2015), section 3. https://arxiv.org/abs/1412.2007
"""

from typing import NamedTuple

import keras
import tensorflow as tf

from tfrec.layers.histories import Histories

# The correction of an item drawn before: its logit is as good as -infinity.
_AGAIN = 1e30


class Sample(NamedTuple):
    """Items drawn by their popularity, the same for every position.

    Attributes:
        places: int64 `[draws]`, places of the items in the order of
            popularity, from 0, ascending.
        log_chances: float32 `[draws]`, log of the chance that a sample has
            each. Of an item drawn before, far above 0, so that the softmax
            leaves it out.
        target_log_chances: float32, the same of the targets.
    """

    places: tf.Tensor
    log_chances: tf.Tensor
    target_log_chances: tf.Tensor


def draw_items(
    target_places: tf.Tensor,
    draws: int,
    num_items: int,
    seed: keras.random.SeedGenerator,
) -> Sample:
    """Draws items, the one in place r each time with p ~ log((r+2) / (r+1)).

    TensorFlow's log-uniform sampler, with two differences. Its random state is
    out of reach: a run that resumes would continue with other samples, and
    replicas would not draw the same. And it estimates the chances; here they
    are known. The draws are stratified: draw i is uniform within the i-th of
    equal parts of the distribution, so that an item that spans a part is in
    every sample.

    Args:
        target_places: int64, places of the targets in the order of popularity.
        draws: Number of draws. An item drawn several times counts once.
        num_items: Number of items to draw from.
        seed: Where the draws come from.
    """
    # An item in place r spans log(r+1) to log(r+2), in these units.
    unit = tf.math.log(tf.constant(num_items + 1.0, tf.float64)) / draws

    def log_chances(places):
        places = tf.cast(places, tf.float64)
        start, end = (tf.math.log(places + n) / unit for n in (1.0, 2.0))
        # The end of the first part that it reaches into; one draw falls
        # before it, another behind it.
        edge = tf.floor(start) + 1
        before = tf.minimum(end, edge) - start
        behind = tf.clip_by_value(end - edge, 0.0, 1.0)
        return tf.cast(
            tf.math.log(before + behind - before * behind), tf.float32
        )

    drawn = tf.range(draws, dtype=tf.float64)
    drawn += keras.random.uniform([draws], dtype="float64", seed=seed)
    places = tf.cast(tf.exp(drawn * unit), tf.int64) - 1
    # Rounding could lead one place beyond the last.
    places = tf.minimum(places, num_items - 1)
    again = tf.concat([[False], places[1:] == places[:-1]], 0)
    chances = tf.where(again, _AGAIN, log_chances(places))
    return Sample(places, chances, log_chances(target_places))


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
