"""Sets of items to train on, and what a model of sets must do with them."""

import numpy as np
import tensorflow as tf

from tfrec.batches import Query, TrainingBatch
from tfrec.models import Recommender

NUM_ITEMS = 15
# Items that are liked together, of which each user lacks one.
TASTES = [range(first, first + 5) for first in (1, 6, 11)]
USERS = [
    [item for item in taste if item != lacking]
    for taste in TASTES
    for lacking in taste
]
ROWS = ((1, 2, 3, 4, 5, 6, 7), (8, 9, 10), (11, 12, 13, 2))


def batch(rows=ROWS) -> TrainingBatch:
    """Returns a training batch of the given sequences."""
    return TrainingBatch.of(tf.ragged.constant(rows, tf.int32).to_tensor())


def train(model: Recommender, steps: int) -> None:
    """Trains a compiled model on all users at a time."""
    data = tf.data.Dataset.from_tensors(batch(USERS)).repeat(steps)
    model.fit(data, verbose=0, shuffle=False)


def assert_knows_the_tastes(model: Recommender) -> None:
    """Asks for what two items of each taste go with; all are as popular."""
    asked = [list(taste)[:2] for taste in TASTES]
    items, _ = model.recommend(asked, k=3)
    assert [set(row) for row in items.tolist()] == [
        set(list(taste)[2:]) for taste in TASTES
    ]


def assert_reads_sets(model: Recommender) -> None:
    """Scores and objective know neither order nor repetition."""
    one, other = model.score(Query.of([[3, 8, 5, 0], [8, 3, 5, 8]]))
    np.testing.assert_allclose(one, other, rtol=1e-5)
    left_out = model.score(Query.of([[3, 8, 0, 0]]))[0]
    assert np.abs(one - left_out).max() > 1e-4
    mixed = [[*row[::-1], row[0]] for row in ROWS]
    found, expected = (
        model.objective(each, training=False)
        for each in (batch(mixed), batch())
    )
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-6, err_msg=name)
