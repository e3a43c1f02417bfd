"""Tests of Mult-VAE: the bound of its paper, and that it learns sets."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.contract import silence
from tests.models.sets import (
    NUM_ITEMS,
    ROWS,
    assert_knows_the_tastes,
    assert_reads_sets,
    batch,
    train,
)
from tfrec.batches import Query
from tfrec.errors import InputError
from tfrec.models import MultVAE, MultVAEConfig

SMALL = {"hidden_units": 7, "latent_dim": 4}


def model(**changes) -> MultVAE:
    """Returns a small compiled model."""
    made = MultVAE(NUM_ITEMS, MultVAEConfig(**{**SMALL, **changes}))
    made.compile()
    return made


def log_softmax(logits):
    return logits - np.log(np.sum(np.exp(logits)))


def test_the_loss_is_the_bound_of_the_paper(monkeypatch):
    """-E_q[sum_i x_ui log p(i | z)] + beta KL, user by user."""
    net = model(kl_weight=0.3, anneal_steps=0)
    eps = np.array([0.5, -1.0, 0.2, 1.5], np.float32)
    monkeypatch.setattr(
        keras.random, "normal", lambda shape, seed: tf.broadcast_to(eps, shape)
    )
    w1, b1, w2, b2, w3, b3, w4, b4 = (v.numpy() for v in net.trainable_weights)
    reconstruction = kl = 0.0
    for row in ROWS:
        x = np.zeros(NUM_ITEMS)
        x[np.array(row) - 1] = 1
        h = np.tanh(x / np.linalg.norm(x) @ w1 + b1)
        mean, log_variance = np.split(h @ w2 + b2, 2)
        z = mean + np.exp(log_variance / 2) * eps
        log_p = log_softmax(np.tanh(z @ w3 + b3) @ w4.T + b4)
        reconstruction -= np.sum(x * log_p)
        variance = np.exp(log_variance)
        kl += 0.5 * np.sum(mean**2 + variance - log_variance - 1)
    terms = net.objective(batch(), training=False)
    np.testing.assert_allclose(
        [terms[n] for n in ("reconstruction", "kl", "bound", "loss", "beta")],
        np.array(
            [
                reconstruction / 3,
                kl / 3,
                (reconstruction + kl) / 3,
                (reconstruction + 0.3 * kl) / 3,
                0.3,
            ]
        ),
        rtol=1e-5,
    )


def test_order_and_repetition_do_not_matter(monkeypatch):
    silence(monkeypatch)
    assert_reads_sets(model())


def test_half_of_the_items_is_read_and_all_are_predicted():
    net = model(input_dropout=0.5)
    bags = tf.tile([[1, 2, 3, 4]], [2000, 1])
    items, scale = net.reading(bags, training=True)
    # On average the set, divided by its length of 2.
    read = tf.cast(items > 0, tf.float32) * scale
    assert set(np.unique(items)) == {0, 1, 2, 3, 4}
    np.testing.assert_allclose(tf.reduce_mean(read, 0), [0.5] * 4, atol=0.05)
    # A reciprocal root is exact on few processors.
    np.testing.assert_allclose(scale, 1.0, rtol=1e-6)
    items, scale = net.reading(bags)
    np.testing.assert_array_equal(items, bags)
    np.testing.assert_allclose(scale, 0.5, rtol=1e-6)


def test_scores_come_from_the_mean():
    net = model()
    query = Query.of([[1, 2, 3]])
    expected = net.decode(net.encode(query), query)
    np.testing.assert_array_equal(net.score(query), expected)
    draws, centres = net.posterior_draws(query, [1, 2])
    np.testing.assert_array_equal(centres, net.encode(query))
    assert np.abs(draws - centres).max() > 1e-3


@pytest.mark.parametrize(
    "annealing", [{"anneal_steps": 4}, {"anneal_epochs": 2.0}], ids=str
)
def test_beta_grows_over_steps_or_epochs(annealing):
    net = model(kl_weight=0.2, **annealing)
    net.compile(run_eagerly=True)
    # Epochs of two steps, so both grow by 1/4 a step.
    data = tf.data.Dataset.from_tensors(batch()).repeat(2)
    shown = net.fit(data, epochs=3, verbose=0, shuffle=False).history["beta"]
    np.testing.assert_allclose(shown, [0.025, 0.125, 0.2], rtol=1e-5)


def test_beta_is_annealed_in_one_unit():
    with pytest.raises(InputError, match=r"anneal_steps.*anneal_epochs=2"):
        MultVAEConfig(anneal_epochs=2.0, anneal_steps=7)


def test_training_learns_the_tastes():
    net = model(latent_dim=8, hidden_units=16, learning_rate=0.02)
    train(net, 60)
    assert_knows_the_tastes(net)
