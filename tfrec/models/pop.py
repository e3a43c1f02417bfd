"""Pop: the most popular items for everyone, the baseline to beat first."""

import keras
import tensorflow as tf

from tfrec.batches import Query, TrainingBatch
from tfrec.models.base.recommender import Recommender
from tfrec.models.configs.pop import PopConfig

# Between the scores of equals: the least that float32 keeps apart at a
# log-probability of -16 to -32.
_SLIVER = 2e-6


@keras.saving.register_keras_serializable("tfrec")
class Pop(Recommender):
    """Scores items by how often they occur in the training sequences.

    The counts are a weight and not learned: one epoch counts everything, and
    fitting again counts everything again, which changes no rank.

    Args:
        num_items: Number of items in the vocabulary.
        config: Settings.
    """

    config_class = PopConfig
    one_pass = True
    weighs = False

    def __init__(
        self,
        num_items: int,
        config: PopConfig | None = None,
        num_users: int = 0,
    ):
        super().__init__(num_items, config, num_users)
        self.counts = self.add_weight(
            shape=(num_items,),
            initializer="zeros",
            dtype="int64",
            trainable=False,
            # Every replica adds the same sum, see `train_step`.
            aggregation="only_first_replica",
            name="counts",
        )
        self.built = True

    def train_step(self, batch: TrainingBatch) -> dict[str, tf.Tensor]:
        """Adds the items of a batch, of all replicas, to the counts.

        Returns:
            `interactions`, the number counted so far.
        """
        self.count_tokens(batch)
        size = self.num_items + 1
        counts = tf.math.bincount(
            batch.items, minlength=size, maxlength=size, dtype=tf.int64
        )
        replica = tf.distribute.get_replica_context()
        self.counts.assign_add(
            replica.all_reduce(tf.distribute.ReduceOp.SUM, counts[1:])
        )
        return {"interactions": tf.reduce_sum(self.counts)}

    def score(self, query: Query) -> tf.Tensor:
        """Returns the log of each item's share of the training interactions.

        An item never seen counts as half an interaction: its score is finite
        and below that of every item seen. Of items seen equally often, the
        one earlier in the vocabulary comes first, by a sliver of probability:
        Pop gives one list, and so gave the published numbers.
        """
        # In float64: float32 logarithms of counts in the millions tie.
        counts = tf.maximum(tf.cast(self.counts, tf.float64), 0.5)
        order = tf.argsort(counts, direction="DESCENDING", stable=True)
        falling = tf.gather(counts, order)
        place = tf.range(self.num_items) - tf.searchsorted(-falling, -falling)
        slivers = _SLIVER * tf.cast(place, tf.float64)
        # However long a tie, it ends above the next smaller count.
        slivers = tf.minimum(slivers, 0.5 / (falling + 1))
        ranked = tf.math.log(falling / tf.reduce_sum(counts)) - slivers
        scores = tf.gather(
            tf.cast(ranked, tf.float32), tf.math.invert_permutation(order)
        )
        return tf.tile(scores[None], [tf.shape(query.history)[0], 1])
