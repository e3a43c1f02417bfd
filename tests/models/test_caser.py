"""Tests of Caser against a literal reading of its formula."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.small import chains
from tfrec.batches import Query, TrainingBatch
from tfrec.errors import InputError
from tfrec.models import Caser, CaserConfig

DIM, WINDOW = 4, 3
HISTORIES = [[7, 5, 1, 2, 3], [4, 6], [9]]


def model(num_items: int = 15, num_users: int = 2, **changes) -> Caser:
    """Returns a small compiled model with random weights."""
    small = {
        "embedding_dim": DIM,
        "window": WINDOW,
        "horizontal_filters": 5,
        "vertical_filters": 2,
        "max_length": 12,
    }
    made = Caser(num_items, CaserConfig(**{**small, **changes}), num_users)
    made.compile()
    return made


def loud(net: Caser) -> Caser:
    """Gives all weights, biases too, some size."""
    for weight in net.trainable_variables:
        weight.assign_add(tf.random.normal(weight.shape))
    return net


def logits(net: Caser, history: list[int], u: np.ndarray) -> np.ndarray:
    """Returns y after a history, filter by filter."""
    read = history[-WINDOW:]
    e = np.zeros([WINDOW, DIM])
    e[WINDOW - len(read) :] = net.embedding.embeddings.numpy()[read]
    found = []
    for height, layer in enumerate(net.filters.horizontal, 1):
        kernels = layer.kernel.numpy().reshape(height, DIM, -1)
        for k in range(5):
            best = 0.0
            for i in range(WINDOW - height + 1):
                if i + height <= WINDOW - len(read):
                    continue  # Nothing but what is missing.
                product = np.sum(kernels[..., k] * e[i : i + height])
                best = max(best, product + layer.bias.numpy()[k])
            found.append(best)
    for vertical in net.filters.kernel.numpy().T:
        found += (vertical @ e).tolist()
    z = np.array(found) @ net.hidden.kernel.numpy() + net.hidden.bias.numpy()
    both = np.concatenate([np.maximum(z, 0), u])
    items = net.item_logits
    return items.kernel.numpy() @ both + items.bias.numpy()


def test_scores_are_the_papers_for_known_and_unknown_users():
    net = loud(model())
    table = net.users.embeddings.numpy()
    vectors = [table[1:].mean(0), table[1], table[2]]
    for history in HISTORIES:
        for user, u in enumerate(vectors):
            y = logits(net, history, u)
            expected = y - y.max()
            expected -= np.log(np.exp(expected).sum())
            asked = Query.of(tf.constant([history]), tf.constant([user]))
            found = net.score(asked)[0]
            np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_the_loss_is_that_of_the_next_items_and_of_others(monkeypatch):
    net = loud(model(target_window=2, negatives=2))
    rows, users = [[7, 5, 1, 2, 3], [4, 6, 8, 0, 0]], [2, 1]

    # Items 13 and 8 for every position; the second sequence has item 8.
    def randint(shape, minval, maxval, seed):
        return tf.broadcast_to(tf.constant([12, 7]), shape)

    monkeypatch.setattr(keras.random, "randint", randint)
    expected = 0.0
    for row, user in zip(rows, users, strict=True):
        row = [item for item in row if item]
        for t in range(1, len(row)):
            y = logits(net, row[:t], net.users.embeddings.numpy()[user])
            targets = row[t : t + 2]
            yes = [np.log1p(np.exp(-y[i - 1])) for i in targets]
            no = [np.log1p(np.exp(y[j - 1])) for j in (13, 8) if j not in row]
            expected += (np.mean(yes) + np.sum(no)) / 2
    batch = TrainingBatch.of(tf.constant(rows), tf.constant(users))
    found = net.objective(batch, training=False)["loss"]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_only_the_window_is_read():
    net = loud(model())
    scores = net.score(Query.of([[9, 9, 1, 2, 3], [4, 5, 1, 2, 3]]))
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-5)
    within = net.score(Query.of([[9, 1, 4, 2, 3], [4, 5, 5, 2, 3]]))
    assert np.abs(within[0] - within[1]).max() > 1e-3


def test_its_items_have_vectors_of_their_own():
    with pytest.raises(InputError, match="`--tie_weights` means nothing with"):
        CaserConfig(tie_weights=True)


def test_training_learns_the_set_of_the_next_items():
    keras.utils.set_random_seed(1)
    net = model(
        20, 0, embedding_dim=8, dropout=0.1, learning_rate=3e-2, negatives=8
    )
    data = tf.data.Dataset.from_tensors(chains()).repeat(80)
    net.fit(data, verbose=0, shuffle=False)
    # Popularity would rank ten items alike.
    items, _ = net.recommend([[2, 3, 4], [8, 9, 10]], k=3)
    assert [set(row) for row in items.tolist()] == [{5, 6, 7}, {1, 2, 3}]
