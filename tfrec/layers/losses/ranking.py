"""Losses that set the item that came above a sample, or its strongest.

Hidasi, Karatzoglou: Recurrent Neural Networks with Top-k Gains for
Session-based Recommendations (CIKM'18). https://arxiv.org/abs/1706.03847
TOP1 is of Hidasi, Karatzoglou, Baltrunas, Tikk: Session-based Recommendations
with Recurrent Neural Networks (ICLR'16). https://arxiv.org/abs/1511.06939
"""

import tensorflow as tf

from tfrec.layers.item_logits import ItemLogits
from tfrec.layers.losses.base import (
    Targets,
    own_logits,
    shared_logits,
)
from tfrec.layers.losses.histories import Histories
from tfrec.layers.losses.sampler import PopularitySampler, SampleLoss

# As good as -infinity for the logit of an item that does not count, yet finite.
_NOTHING = -1e30


def bpr_max(
    own: tf.Tensor,
    others: tf.Tensor,
    log_strength: tf.Tensor,
    penalty: float,
) -> tf.Tensor:
    """Returns -log sum_j s_j sigmoid(r_i - r_j) + penalty sum_j s_j r_j^2.

    Args:
        own: r_i, float32 `[n]`, of the item that came.
        others: r_j, float32 `[n, m]`, of the sample.
        log_strength: log s_j, float32 `[n, m]`, a log-softmax over the sample.
        penalty: Weight of the last term.

    Returns:
        float32 `[n]`.
    """
    above = tf.math.log_sigmoid(own[:, None] - others)
    squares = tf.reduce_sum(tf.exp(log_strength) * tf.square(others), 1)
    return penalty * squares - tf.reduce_logsumexp(log_strength + above, 1)


def top1_max(
    own: tf.Tensor,
    others: tf.Tensor,
    log_strength: tf.Tensor,
    penalty: float,
) -> tf.Tensor:
    """Returns sum_j s_j (sigmoid(r_j - r_i) + penalty sigmoid(r_j^2)).

    The paper's penalty is 1. Arguments as for `bpr_max`.
    """
    each = tf.sigmoid(others - own[:, None])
    each += penalty * tf.sigmoid(tf.square(others))
    return tf.reduce_sum(tf.exp(log_strength) * each, 1)


# TOP1 is TOP1-max with all of the sample of one strength.
LOSSES = {"bpr_max": bpr_max, "top1_max": top1_max, "top1": top1_max}


def elu(logits: tf.Tensor, floor: float) -> tf.Tensor:
    """Returns ELUs: what is below 0 levels off at minus `floor`."""
    below = floor * tf.math.expm1(tf.minimum(logits, 0.0))
    return tf.where(logits > 0, logits, below)


class RankingLoss(SampleLoss):
    """BPR-max, TOP1-max or TOP1 against items drawn by their popularity.

    A target that is drawn too ("accidental hit") is held against no target of
    its position. Of several targets each has its share of the loss.

    Args:
        kind: "bpr_max", "top1_max" or "top1".
        sampler: Draws items.
        penalty: Weight of the term that keeps the sample's scores near 0.
        floor: If positive, scores are ELUs of the logits, see `elu`; they rank
            as the logits do.
        matmul_dtype: Type in which the product with the sample is taken.
        exclude_history: See base class.
    """

    def __init__(
        self,
        kind: str,
        sampler: PopularitySampler,
        penalty: float = 1.0,
        floor: float = 0.0,
        matmul_dtype: str = "float32",
        exclude_history: bool = False,
        **kwargs,
    ):
        super().__init__(sampler, matmul_dtype, exclude_history, **kwargs)
        self.kind = kind
        self.penalty = penalty
        self.floor = floor

    def total(
        self,
        logits: ItemLogits,
        hidden: tf.Tensor,
        targets: Targets,
        histories: Histories,
    ) -> tf.Tensor:
        """See base class."""
        sample = self.sampler.draw(targets.columns)
        drawn = sample.columns
        others = shared_logits(logits, hidden, drawn, self.matmul_dtype)
        own = own_logits(logits, hidden, targets.columns)
        if self.floor:
            others, own = elu(others, self.floor), elu(own, self.floor)
        left_out = tf.where(sample.counts, 0.0, _NOTHING)
        if self.exclude_history:
            among = histories.among(drawn)
            left_out += among.penalties(tf.shape(others)[1])
        # One target at a time: each comparison is as large as the logits.
        for j in range(targets.items.shape[1]):
            hits = targets.items[:, j, None] == drawn + 1
            left_out = tf.where(hits, _NOTHING, left_out)
        strength = left_out if self.kind == "top1" else others + left_out
        log_strength = tf.nn.log_softmax(strength)
        each = tf.zeros_like(targets.weights)
        for j in range(targets.items.shape[1]):
            each += targets.shares[:, j] * LOSSES[self.kind](
                own[:, j], others, log_strength, self.penalty
            )
        # Nothing to be set above, where all of the sample is left out.
        some = tf.reduce_max(strength, 1) > 0.5 * _NOTHING
        return tf.reduce_sum(targets.weights * tf.where(some, each, 0.0))
