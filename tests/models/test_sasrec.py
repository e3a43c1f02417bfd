"""Tests of SASRec: its states, its losses, its settings."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.small import batch, chains, per_position
from tfrec.batches import Query
from tfrec.errors import InputError
from tfrec.models import SASRec, SASRecConfig

SMALL = {"embedding_dim": 8, "max_length": 12, "heads": 2, "blocks": 1}
ROWS = [[1, 2, 3, 4, 5], [6, 7, 8], [9, 10, 11, 12]]


def model(num_items: int = 15, **changes) -> SASRec:
    """Returns a small compiled model."""
    made = SASRec(num_items, SASRecConfig(**{**SMALL, **changes}))
    made.compile()
    return made


def logits(net: SASRec, history: list[int]) -> np.ndarray:
    """Scores all items after a history, part by part."""
    vectors = net.embedding.embeddings.numpy()
    x = 8**0.5 * vectors[history]
    x = (x + net.positions.embeddings.numpy()[: len(history)])[None]
    for block in net.blocks:
        x = block(x)
    x = x[0, -1].numpy()
    x = (x - x.mean()) / x.std()
    state = net.norm.gamma.numpy() * x + net.norm.beta.numpy()
    return vectors[1:] @ state


def test_scores_are_products_of_the_last_state_and_the_embeddings():
    net = model(blocks=2)
    net.norm.beta.assign(tf.random.normal([8]))
    for history in ([3], [1, 2, 3, 4, 5]):
        expected = logits(net, history)
        odds = np.exp(expected - expected.max())
        found = net.score(Query.of([history]))[0]
        np.testing.assert_allclose(found, np.log(odds / odds.sum()), 1e-3, 1e-4)


def test_the_encoder_of_models_with_a_latent_reads_as_sasrec_does():
    net = model(blocks=2)
    other = per_position(
        encoder="transformer", gru_units=100, heads=2, tie_weights=True
    )
    encoder = other.encoder
    sources = [net.embedding, net.positions, *net.blocks, net.norm]
    copies = [other.embedding, encoder.positions, *encoder.blocks, encoder.norm]
    for source, copy in zip(sources, copies, strict=True):
        copy.set_weights([tf.random.normal(w.shape) for w in source.weights])
        source.set_weights(copy.get_weights())
    query = Query.of([[3, 1, 0], [1, 2, 5]])
    np.testing.assert_allclose(
        net.states(query), other.states(query), rtol=1e-4, atol=1e-5
    )


def test_the_published_loss_tells_the_next_item_from_one_other(monkeypatch):
    net = model(loss="binary")
    # Item 13 is in no sequence, and item 9 in the last alone.
    drawn = np.array([13, 9, 13, 9, 13, 9, 13, 13, 13])

    def randint(shape, minval, maxval, seed):
        assert (minval, maxval) == (0, 15)
        column = np.pad(drawn, [0, int(shape[0]) - len(drawn)])
        return tf.constant(column[:, None] - 1, tf.int32)

    monkeypatch.setattr(keras.random, "randint", randint)
    expected, places = 0.0, iter(drawn)
    for row in ROWS:
        for t in range(1, len(row)):
            scores, other = logits(net, row[:t]), next(places)
            expected += np.log1p(np.exp(-scores[row[t] - 1]))
            if other not in row:
                expected += np.log1p(np.exp(scores[other - 1]))
    found = net.objective(batch(ROWS), training=False)["loss"]
    np.testing.assert_allclose(found, expected / 3, rtol=1e-3)


def test_positions_count_from_the_oldest_item_that_is_read():
    net = model(max_length=3)
    net.positions.embeddings.assign(tf.random.normal([3, 8]))
    score = net.score(Query.of([[1, 2, 3]]))
    # The order counts, and what is not read does not move it.
    assert np.abs(net.score(Query.of([[2, 1, 3]])) - score).max() > 1e-3
    found = net.score(Query.of([[5, 4, 1, 2, 3, 0]]))
    np.testing.assert_allclose(found, score, rtol=1e-5)
    # Not in training, where the caller cuts the rows.
    with pytest.raises(tf.errors.InvalidArgumentError, match="at most 3 items"):
        net.objective(batch(ROWS))


def test_adam_forgets_sooner_as_in_the_paper():
    assert model().optimizer.beta_2 == 0.98


def test_heads_must_divide_the_embedding():
    with pytest.raises(
        InputError, match=r"`--heads` must divide --embedding_dim=50\. Rec.*: 4"
    ):
        SASRecConfig(heads=4)


def test_training_learns_to_follow_a_chain():
    keras.utils.set_random_seed(1)
    net = model(10, embedding_dim=16, learning_rate=2e-2)
    data = tf.data.Dataset.from_tensors(chains()).repeat(40)
    net.fit(data, verbose=0, shuffle=False)
    items, scores = net.recommend([[2, 3, 4], [8, 9, 10]], k=1)
    assert items[:, 0].tolist() == [5, 1]
    # Popularity gives it 1 / 10.
    assert np.exp(scores).min() > 0.8
