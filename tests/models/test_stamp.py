"""Tests of STAMP against a literal reading of its formula."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.small import batch, chains
from tfrec.batches import Query
from tfrec.models import STAMP, STAMPConfig

ROWS = [[1, 2, 3, 4, 5], [6, 7, 8], [9, 10, 11, 12]]


def model(num_items: int = 15, **changes) -> STAMP:
    """Returns a small compiled model."""
    small = {"embedding_dim": 8, "max_length": 12}
    made = STAMP(num_items, STAMPConfig(**{**small, **changes}))
    made.compile()
    return made


def log_probabilities(net: STAMP, history: list[int], mean: bool):
    """The paper's scores after a history, click by click."""
    vectors = net.embedding.embeddings.numpy()
    x = vectors[history]
    m_s, m_t = x.mean(0), x[-1]
    attention = net.attention
    w_query, w_1, w, b = (
        weight.numpy()
        for weight in (
            attention.query,
            attention.key,
            attention.weigh,
            attention.bias,
        )
    )
    w_2, w_3 = w_query[:8], w_query[8:]
    m_a = np.zeros(8)
    for x_i in x:
        gate = 1 / (1 + np.exp(-(x_i @ w_1 + m_t @ w_2 + m_s @ w_3 + b)))
        m_a += w @ gate * x_i
    m_a += m_s if mean else 0.0
    h_s, h_t = (
        np.tanh(m @ layer.kernel.numpy() + layer.bias.numpy())
        for m, layer in ((m_a, net.of_session), (m_t, net.of_last))
    )
    # Three vectors at once.
    scores = np.einsum("d,d,id->i", h_s, h_t, vectors[1:])
    return scores - np.log(np.exp(scores).sum())


@pytest.mark.parametrize("mean", [True, False])
def test_the_loss_is_the_cross_entropy_of_the_trilinear_product(mean):
    net = model(add_mean=mean)
    for weight in net.trainable_variables:
        weight.assign_add(0.2 * tf.random.normal(weight.shape))
    expected = 0.0
    for row in ROWS:
        for t in range(1, len(row)):
            log_p = log_probabilities(net, row[:t], mean)
            found = net.score(Query.of([row[:t]]))[0]
            np.testing.assert_allclose(found, log_p, 1e-4, 1e-5)
            expected -= log_p[row[t] - 1] / len(ROWS)
    found = net.objective(batch(ROWS), training=False)["loss"]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_order_before_the_last_click_does_not_count():
    net = model()
    score = net.score(Query.of([[1, 2, 3, 4]]))
    same = net.score(Query.of([[3, 1, 2, 4]]))
    np.testing.assert_allclose(same, score, rtol=1e-5)
    assert np.abs(net.score(Query.of([[4, 1, 2, 3]])) - score).max() > 1e-4


def test_training_learns_to_follow_a_chain():
    keras.utils.set_random_seed(1)
    net = model(10, learning_rate=3e-2)
    data = tf.data.Dataset.from_tensors(chains()).repeat(80)
    net.fit(data, verbose=0, shuffle=False)
    items, scores = net.recommend([[2, 3, 4], [8, 9, 10]], k=1)
    assert items[:, 0].tolist() == [5, 1]
    # Popularity gives it 1 / 10.
    assert np.exp(scores).min() > 0.5
