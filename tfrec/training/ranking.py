"""Ranks the targets of a split by a trained model."""

import numpy as np
import tensorflow as tf

from tfrec.batches import EvaluationBatch
from tfrec.metrics.ranks import SHOWN, Ranks, padded
from tfrec.models import Recommender
from tfrec.training.config import TrainingConfig
from tfrec.training.progress import Bar


def rank(
    model: Recommender, batches: tf.data.Dataset, config: TrainingConfig
) -> Ranks:
    """Ranks the targets of a split, on one device, in the split's order.

    Args:
        model: A compiled model.
        batches: Dataset of `EvaluationBatch`.
        config: Says how progress is shown.
    """
    shown = np.zeros(model.num_items + 1, np.int64)
    k = min(SHOWN, model.num_items)

    @tf.function(reduce_retracing=True, autograph=False)
    def step(batch):
        return model.rank(batch, k)

    ranks, records = [], []
    bar = Bar(config, "Evaluating", int(batches.cardinality()))
    for done, batch in enumerate(batches, 1):
        ranked, first = step(batch)
        ranks.append(ranked.numpy())
        records.append(batch.record.numpy())
        np.add.at(shown, first.numpy(), 1)
        bar.update(done)
    bar.close()
    # Batches are of rows of nearly equal length. Those of one record are in
    # their order all the same.
    order = np.argsort(np.concatenate(records), kind="stable")
    return Ranks(
        padded(ranks)[order], np.concatenate(records)[order], shown[1:]
    )


@tf.autograph.experimental.do_not_convert
def shuffled(batches: tf.data.Dataset, seed: int) -> tf.data.Dataset:
    """Returns the batches with the items of each history in random order.

    What a model then loses is what it had from the order.

    Args:
        batches: Dataset of `EvaluationBatch`.
        seed: Of the orders.
    """

    def shuffle(index: tf.Tensor, batch: EvaluationBatch) -> EvaluationBatch:
        keys = tf.random.stateless_uniform(
            tf.shape(batch.history), [seed, tf.cast(index, tf.int32)]
        )
        order = tf.argsort(tf.where(batch.history > 0, keys, 2.0), stable=True)
        history = tf.gather(batch.history, order, batch_dims=1)
        return batch._replace(history=history)

    return batches.enumerate().map(shuffle)
