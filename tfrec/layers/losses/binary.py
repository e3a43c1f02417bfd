"""Yes to the item that came, no to k that did not; and its calibrated form.

Kang, McAuley: Self-Attentive Sequential Recommendation (ICDM'18), eq. 6, has
one negative. Petrov, Macdonald: gSASRec (RecSys'23) calibrates: the fewer
negatives, the more a plain binary loss overstates every probability.
https://arxiv.org/abs/2308.07192
"""

import tensorflow as tf

from tfrec.layers.item_logits import ItemLogits
from tfrec.layers.losses.base import Targets, own_logits
from tfrec.layers.losses.histories import Histories
from tfrec.layers.losses.uniform import UniformLoss


def calibrated_power(rate: float, calibration: float) -> float:
    """Returns b of gBCE, the power of the positive's probability.

    Args:
        rate: a, the share of the negatives that is drawn.
        calibration: t, from 0 (the plain binary loss, b = 1) to 1 (b = a,
            which ranks as a softmax does).
    """
    return rate * (calibration * (1.0 - 1.0 / rate) + 1.0 / rate)


class BinaryLoss(UniformLoss):
    """-b log sigmoid(r_i) - sum_j log(1 - sigmoid(r_j)), k negatives j.

    Args:
        num_items: Number of items.
        negatives: k.
        calibration: t of gBCE; 0 for the plain loss.
        exclude_history: See base class.
    """

    def __init__(
        self,
        num_items: int,
        negatives: int = 1,
        calibration: float = 0.0,
        exclude_history: bool = False,
        **kwargs,
    ):
        super().__init__(num_items, negatives, exclude_history, **kwargs)
        self.power = calibrated_power(negatives / (num_items - 1), calibration)

    def total(
        self,
        logits: ItemLogits,
        hidden: tf.Tensor,
        targets: Targets,
        histories: Histories,
    ) -> tf.Tensor:
        """See base class."""
        drawn, counts = self.draw(targets, histories)
        others = own_logits(logits, hidden, drawn)
        no = tf.reduce_sum(
            tf.where(counts, tf.math.log_sigmoid(-others), 0.0), 1
        )
        own = own_logits(logits, hidden, targets.columns)
        yes = tf.reduce_sum(targets.shares * tf.math.log_sigmoid(own), 1)
        return -tf.reduce_sum(targets.weights * (self.power * yes + no))
