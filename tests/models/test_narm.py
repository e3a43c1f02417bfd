"""Tests of NARM: its scores are its formula, and it learns."""

import keras
import numpy as np
import tensorflow as tf

from tests.models.small import batch, chains
from tfrec.batches import Query
from tfrec.models import NARM, NARMConfig


def model(num_items: int = 15, **changes) -> NARM:
    """Returns a small compiled model."""
    small = {"embedding_dim": 8, "gru_units": 6, "max_length": 12}
    made = NARM(num_items, NARMConfig(**{**small, **changes}))
    made.compile()
    return made


def log_probabilities(net: NARM, history: list[int]) -> np.ndarray:
    """The paper's score after a history, click by click."""
    vectors = net.embedding.embeddings.numpy()
    h = net.encoder.gru(tf.constant(vectors[history][None]))[0].numpy()
    of_last, of_each, v = (
        weight.numpy() for weight in net.encoder.attention.trainable_variables
    )
    c = np.zeros_like(h[-1])
    for h_j in h:
        c += v @ (1 / (1 + np.exp(-h[-1] @ of_last - h_j @ of_each))) * h_j
    scores = vectors[1:] @ (np.concatenate([h[-1], c]) @ net.bilinear.kernel)
    odds = np.exp(scores)
    return np.log(odds / odds.sum())


def test_the_loss_is_the_cross_entropy_of_the_papers_scores():
    net = model()
    rows = [[1, 2, 3, 4, 5], [6, 7, 8], [9, 10, 11, 12]]
    expected = 0.0
    for row in rows:
        for t in range(1, len(row)):
            log_p = log_probabilities(net, row[:t])
            found = net.score(Query.of([row[:t]]))[0]
            np.testing.assert_allclose(found, log_p, 1e-4, 1e-5)
            expected -= log_p[row[t] - 1] / len(rows)
    found = net.objective(batch(rows), training=False)["loss"]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_dropout_is_on_embeddings_and_on_states():
    def differs(**rates):
        net = model(**{"embedding_dropout": 0.0, "dropout": 0.0, **rates})
        quiet = net.objective(batch(), training=False)["loss"]
        return abs(float(net.objective(batch())["loss"] - quiet)) > 1e-4

    assert not differs()
    assert differs(embedding_dropout=0.5)
    assert differs(dropout=0.5)


def test_training_learns_to_follow_a_chain():
    keras.utils.set_random_seed(1)
    net = model(10, learning_rate=3e-2)
    data = tf.data.Dataset.from_tensors(chains()).repeat(60)
    net.fit(data, verbose=0, shuffle=False)
    items, scores = net.recommend([[2, 3, 4], [8, 9, 10]], k=1)
    assert items[:, 0].tolist() == [5, 1]
    # Popularity gives it 1 / 10.
    assert np.exp(scores).min() > 0.5
