"""Tests of RecBLR: its states, its settings, what it learns."""

import keras
import numpy as np
import tensorflow as tf

from tests.models.small import chains, per_position
from tfrec.batches import Query
from tfrec.models import RecBLR, RecBLRConfig

SMALL = {"embedding_dim": 8, "max_length": 12, "blocks": 1}


def model(num_items: int = 15, **changes) -> RecBLR:
    """Returns a small compiled model."""
    made = RecBLR(num_items, RecBLRConfig(**{**SMALL, **changes}))
    made.compile()
    return made


def test_scores_are_products_of_the_last_state_and_the_embeddings():
    net = model(blocks=2)
    vectors = net.embedding.embeddings.numpy()
    for history in ([3], [1, 2, 3, 4, 5]):
        x = vectors[history]
        x -= x.mean(-1, keepdims=True)
        x /= np.sqrt(np.square(x).mean(-1, keepdims=True))
        for block in net.encoder.blocks:
            x = block(tf.constant(x)[None])[0].numpy()
        odds = np.exp(vectors[1:] @ x[-1])
        found = net.score(Query.of([history]))[0]
        np.testing.assert_allclose(found, np.log(odds / odds.sum()), 1e-3, 1e-4)


def test_the_encoder_of_models_with_a_latent_reads_as_recblr_does():
    net = model(blocks=2)
    other = per_position(
        encoder="recurrent_blocks", gru_units=100, tie_weights=True
    )
    for source, copy in (
        (net.embedding, other.embedding),
        (net.encoder, other.encoder),
    ):
        copy.set_weights([tf.random.normal(w.shape) for w in source.weights])
        source.set_weights(copy.get_weights())
    query = Query.of([[3, 1, 0], [1, 2, 5]])
    np.testing.assert_allclose(
        net.states(query), other.states(query), rtol=1e-4, atol=1e-5
    )


def test_sizes_are_those_of_the_settings():
    block = model(expansion=3, kernel_size=2, hidden_units=5).encoder.blocks[0]
    assert block.recurrence.forgetting.shape == (24,)
    assert block.recurrence.convolution.kernel.shape == (2, 24, 1)
    assert block.hidden.kernel.shape == (8, 5)
    assert model().encoder.blocks[0].hidden.kernel.shape == (8, 32)


def test_the_newest_items_are_read_in_their_order():
    net = model(max_length=3)
    score = net.score(Query.of([[1, 2, 3]]))
    found = net.score(Query.of([[5, 4, 1, 2, 3, 0]]))
    np.testing.assert_allclose(found, score, rtol=1e-5)
    assert np.abs(net.score(Query.of([[2, 1, 3]])) - score).max() > 1e-3


def test_training_learns_to_follow_a_chain():
    keras.utils.set_random_seed(1)
    net = model(10, embedding_dim=16, learning_rate=2e-2)
    data = tf.data.Dataset.from_tensors(chains()).repeat(40)
    net.fit(data, verbose=0, shuffle=False)
    items, scores = net.recommend([[2, 3, 4], [8, 9, 10]], k=1)
    assert items[:, 0].tolist() == [5, 1]
    # Popularity gives it 1 / 10.
    assert np.exp(scores).min() > 0.8
