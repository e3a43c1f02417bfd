"""What the count models must compute, in plain and slow Python."""

import collections
import itertools
import math

import numpy as np
import tensorflow as tf

from tfrec.batches import TrainingBatch

NUM_ITEMS = 9
# Repeated clicks, an item that nothing follows (6), one never seen (9).
SESSIONS = [
    [1, 2, 3, 1, 2],
    [4, 4, 4, 2],
    [2, 3, 6],
    [5, 1, 3, 2, 7, 3, 8],
    [3, 8, 1, 6],
    [2, 2],
]


def batches(sessions=SESSIONS, batch_size=4, recency=None):
    """Gives sessions as `PreparedDataset.training` does, in their order."""
    recency = recency or [1.0] * len(sessions)
    dataset = tf.data.Dataset.from_generator(
        lambda: (
            TrainingBatch(session, 1.0, 0, weight)
            for session, weight in zip(sessions, recency, strict=True)
        ),
        output_signature=TrainingBatch(
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([], tf.float32),
            tf.TensorSpec([], tf.int32),
            tf.TensorSpec([], tf.float32),
        ),
    )
    steps = -(-len(sessions) // batch_size)
    return dataset.padded_batch(batch_size).apply(
        tf.data.experimental.assert_cardinality(steps)
    )


def counted(model_class, sessions=SESSIONS, num_items=NUM_ITEMS, **settings):
    """Returns a model that has counted the sessions."""
    model = model_class(num_items, model_class.config_class(**settings))
    model.compile(cutoffs=(1, 2))
    model.adapt(batches(sessions))
    return model


def table(model):
    """Returns {item: {follower: strength}} as a model holds it."""
    splits = np.array(model.row_splits)
    return {
        item: dict(
            zip(
                model.followers.numpy()[start:end].tolist(),
                model.strengths.numpy()[start:end].tolist(),
                strict=True,
            )
        )
        for item, (start, end) in enumerate(itertools.pairwise(splits))
        if end > start
    }


def log_probabilities(strengths, last, sessions=SESSIONS, num_items=NUM_ITEMS):
    """Returns the scores after the item `last`, 0 for none.

    Args:
        strengths: {item: {follower: strength}}.
        last: The last item of the history.
        sessions: What was counted.
        num_items: Number of items.
    """
    seen = collections.Counter(item for s in sessions for item in s)
    popularity = {i: seen[i] or 0.5 for i in range(1, num_items + 1)}
    row = strengths.get(last, {})
    others = sum(popularity[i] for i in popularity if i not in row)
    left = min(row.values()) / 2 if row else 1.0
    if not others:
        left = 0.0
    whole = sum(row.values()) + left
    return [
        math.log(row[i] / whole)
        if i in row
        else math.log(left * popularity[i] / others / whole)
        for i in popularity
    ]
