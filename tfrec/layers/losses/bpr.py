"""Sets the item that came above items that did not, pair by pair.

Rendle, Freudenthaler, Gantner, Schmidt-Thieme: BPR: Bayesian Personalized
Ranking from Implicit Feedback (UAI'09), BPR-Opt.
https://arxiv.org/abs/1205.2618
"""

import tensorflow as tf

from tfrec.layers.item_logits import ItemLogits
from tfrec.layers.losses.base import Targets, own_logits
from tfrec.layers.losses.histories import Histories
from tfrec.layers.losses.uniform import UniformLoss


class BPRLoss(UniformLoss):
    """-sum_j log sigmoid(r_i - r_j), k negatives j.

    Of several targets i each has its share of the loss. Arguments as for the
    base class.
    """

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
        own = own_logits(logits, hidden, targets.columns)
        each = tf.zeros_like(targets.weights)
        for j in range(targets.items.shape[1]):
            above = tf.math.log_sigmoid(own[:, j, None] - others)
            above = tf.reduce_sum(tf.where(counts, above, 0.0), 1)
            each -= targets.shares[:, j] * above
        return tf.reduce_sum(targets.weights * each)
