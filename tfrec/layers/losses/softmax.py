"""Cross entropies: of a softmax over all items, over a sample, over bags."""

import tensorflow as tf

from tfrec.layers.item_logits import ItemLogits
from tfrec.layers.losses.base import ItemLoss, Targets
from tfrec.layers.losses.evidence import Evidence
from tfrec.layers.losses.full_softmax import softmax_loss
from tfrec.layers.losses.histories import Histories
from tfrec.layers.losses.sampled_softmax import sampled_softmax_loss
from tfrec.layers.losses.sampler import SampleLoss


class FullSoftmax(ItemLoss):
    """The cross entropy of a softmax over all items.

    Args:
        label_smoothing: Share of each target spread evenly over all items.
        matmul_dtype: Type in which the products with the item vectors are
            taken, and that logits and probabilities are rounded to; the
            softmax itself is taken in float32.
        exclude_history: See base class.
    """

    def __init__(
        self,
        label_smoothing: float = 0.0,
        matmul_dtype: str = "float32",
        exclude_history: bool = False,
        **kwargs,
    ):
        super().__init__(exclude_history, **kwargs)
        self.label_smoothing = label_smoothing
        self.matmul_dtype = matmul_dtype

    def total(
        self,
        logits: ItemLogits,
        hidden: tf.Tensor,
        targets: Targets,
        histories: Histories,
        evidence: Evidence | None = None,
    ) -> tf.Tensor:
        """See base class.

        The other losses take no `evidence`, a term of the logits beside that of
        the states. Its share of a smoothed target is not counted: what is known
        is not to be evened out.
        """
        return softmax_loss(
            logits.scaled(hidden),
            logits.kernel,
            tf.convert_to_tensor(logits.bias),
            targets.columns,
            targets.shares,
            targets.weights,
            self.label_smoothing,
            self.matmul_dtype,
            histories if self.exclude_history else None,
            evidence,
        )


class SampledSoftmax(SampleLoss):
    """The cross entropy of a softmax over the targets and drawn items.

    Each logit is corrected by the log of the item's chance to be drawn.
    Arguments as for the base class.
    """

    def total(
        self,
        logits: ItemLogits,
        hidden: tf.Tensor,
        targets: Targets,
        histories: Histories,
    ) -> tf.Tensor:
        """See base class."""
        drawn = self.sampler.draw(targets.columns)
        return sampled_softmax_loss(
            logits.scaled(hidden),
            logits.vectors(targets.columns),
            logits.biases(targets.columns) - drawn.target_log_chances,
            targets.items,
            logits.vectors(drawn.columns),
            logits.biases(drawn.columns) - drawn.log_chances,
            drawn.columns + 1,
            targets.shares,
            targets.weights,
            self.matmul_dtype,
            histories.among(drawn.columns) if self.exclude_history else None,
        )


def multinomial_loss(
    logits: ItemLogits,
    hidden: tf.Tensor,
    bags: tf.Tensor,
    weights: tf.Tensor,
) -> tf.Tensor:
    """Sums -w_u sum_i x_ui log softmax(h_u)_i over bags of items.

    The multinomial log-likelihood of Mult-VAE (Liang et al., WWW'18, eq. 2),
    for models that read and predict a user's items as a set.

    Args:
        logits: Scores items from hidden states.
        hidden: float32 `[batch, dim]`.
        bags: int32 `[batch, length]`, items in any order, 0 for none. An item
            that comes twice counts twice.
        weights: float32 `[batch]`.

    Returns:
        float32 scalar.
    """
    log_p = logits(hidden)
    chosen = tf.gather(log_p, tf.maximum(bags - 1, 0), batch_dims=1)
    there = tf.cast(bags > 0, tf.float32)
    return -tf.reduce_sum(weights * tf.reduce_sum(there * chosen, 1))
