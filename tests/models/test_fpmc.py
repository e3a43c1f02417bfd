"""Tests of FPMC: its loss, its chain, its users."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrec.batches import Query, TrainingBatch
from tfrec.errors import InputError
from tfrec.models import FPMC, FPMCConfig

ROWS = [[1, 2, 3, 4, 5], [6, 7, 8, 0, 0], [9, 10, 11, 12, 0]]
USERS = [2, 1, 0]


def model(num_items: int = 15, num_users: int = 3, **changes) -> FPMC:
    """Returns a small compiled model."""
    small = {"embedding_dim": 4, "embedding_deviation": 1.0, "max_length": 12}
    config = FPMCConfig(**{**small, **changes})
    made = FPMC(num_items, config, num_users)
    made.compile()
    return made


def batch() -> TrainingBatch:
    return TrainingBatch.of(tf.constant(ROWS), tf.constant(USERS))


def x(net: FPMC, user: int, last: int) -> np.ndarray:
    """Returns x(u, l, i) for every item i."""
    users = net.users.embeddings.numpy()
    u = users[user] if user else users[1:].mean(0)
    before = net.embedding.embeddings.numpy()[last]
    items = net.item_logits.kernel.numpy()
    return items[:, :4] @ u + items[:, 4:] @ before


def test_the_loss_is_that_of_the_paper(monkeypatch):
    net = model()
    # Item 13 is in no sequence, and item 9 in the last alone.
    drawn = np.array([13, 9, 13, 9, 13, 9, 13, 13, 13])

    def randint(shape, minval, maxval, seed):
        column = np.pad(drawn, [0, int(shape[0]) - len(drawn)])
        return tf.constant(column[:, None] - 1, tf.int32)

    monkeypatch.setattr(keras.random, "randint", randint)
    expected, places = 0.0, iter(drawn)
    for user, row in zip(USERS, ROWS, strict=True):
        row = [item for item in row if item]
        for last, i in itertools.pairwise(row):
            scores, j = x(net, user, last), next(places)
            if j not in row:
                margin = scores[i - 1] - scores[j - 1]
                expected += np.log1p(np.exp(-margin)) / len(ROWS)
    found = net.objective(batch(), training=False)["loss"]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_last_item_and_the_user_are_all_that_is_read():
    net = model()
    history = tf.constant([[5, 3], [5, 3], [3, 0], [1, 3]])
    found = net.score(Query.of(history, tf.constant([1, 2, 1, 0]))).numpy()
    for row, user in zip(found, (1, 2, 1, 0), strict=True):
        odds = np.exp(x(net, user, 3))
        np.testing.assert_allclose(row, np.log(odds / odds.sum()), 1e-4, 1e-5)


@pytest.mark.parametrize("num_users", [0, 1])
def test_with_one_user_it_is_a_factorised_markov_chain(num_users):
    """It comes to the shares of what came next, if it has enough factors."""
    keras.utils.set_random_seed(1)
    net = model(6, num_users, loss="softmax", learning_rate=0.05)
    rows = [[1, 2, 3], [1, 3, 4], [1, 2, 4], [1, 2, 5], [3, 5, 6], [3, 6, 1]]
    rows = TrainingBatch.of(tf.constant(rows), tf.fill([6], num_users))
    net.fit(tf.data.Dataset.from_tensors(rows).repeat(300), verbose=0)
    user = tf.fill([2], num_users)
    found = np.exp(net.score(Query.of(tf.constant([[1], [2]]), user)))
    expected = [[0, 3 / 4, 1 / 4, 0, 0, 0], [0, 0, 1 / 3, 1 / 3, 1 / 3, 0]]
    np.testing.assert_allclose(found, expected, atol=0.03)


def test_training_learns_the_chain_and_the_tastes():
    keras.utils.set_random_seed(1)
    # Pieces of a chain of 12 items, and two users with a habit each.
    pieces = (np.arange(12)[:, None] + np.arange(4)) % 12 + 1
    habits = [[13, 14, 13, 14], [13, 15, 13, 15]]
    rows = tf.constant([*pieces.tolist(), *habits])
    rows = TrainingBatch.of(rows, tf.range(1, 15))
    net = model(15, 14, embedding_deviation=0.1, learning_rate=0.05)
    net.fit(tf.data.Dataset.from_tensors(rows).repeat(150), verbose=0)
    items, _ = net.recommend([[3], [12], [13], [13]], 1, user=[0, 0, 13, 14])
    assert items[:, 0].tolist() == [4, 1, 14, 15]


def test_its_items_have_vectors_of_their_own():
    with pytest.raises(InputError, match="`--tie_weights` means nothing with"):
        FPMCConfig(tie_weights=True)
