"""Tests of RecVAE: its bound and prior, its turns, and that it learns sets."""

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
from tfrec.errors import InputError
from tfrec.models import RecVAE, RecVAEConfig

SMALL = {"hidden_units": 6, "latent_dim": 4}
EPS = np.array([0.5, -1.0, 0.2, 1.5], np.float32)


def model(**changes) -> RecVAE:
    """Returns a small compiled model."""
    made = RecVAE(NUM_ITEMS, RecVAEConfig(**{**SMALL, **changes}))
    made.compile(run_eagerly=True)
    return made


def posterior(weights, row):
    """Returns mean and log-variance after a set, layer by layer."""
    x = np.zeros(NUM_ITEMS)
    x[np.array(row) - 1] = 1
    x /= np.linalg.norm(x)
    before = []
    # Five dense layers, then five normalisations.
    for layer in range(0, 10, 2):
        (kernel, bias), (gamma, beta) = (
            weights[place : place + 2] for place in (layer, 10 + layer)
        )
        h = (before[-1] if before else x) @ kernel + bias + sum(before)
        h = h / (1 + np.exp(-h))
        h = (h - h.mean()) / np.sqrt(h.var() + 0.1)
        before.append(gamma * h + beta)
    return np.split(before[-1] @ weights[20] + weights[21], 2)


def density(z, mean, log_variance):
    variance = np.exp(log_variance)
    return np.exp(-((z - mean) ** 2) / (2 * variance)) / np.sqrt(
        2 * np.pi * variance
    )


@pytest.mark.parametrize("mix_dimensions", [True, False])
def test_the_loss_is_the_bound_of_the_paper(mix_dimensions, monkeypatch):
    net = model(
        kl_weight_per_item=0.02,
        old_share=0.6,
        wide_share=0.3,
        mix_dimensions=mix_dimensions,
    )
    monkeypatch.setattr(
        keras.random, "normal", lambda shape, seed: tf.broadcast_to(EPS, shape)
    )
    rng = np.random.default_rng(0)
    for variable in net.old:
        variable.assign_add(0.3 * rng.normal(size=variable.shape))
    new, old = (
        [np.array(v, np.float64) for v in variables]
        for variables in (net.encoder.variables, net.old)
    )
    kernel, bias = (v.numpy() for v in net.item_logits.trainable_variables)
    likelihood = kl = loss = beta = 0.0
    for row in ROWS:
        mean, log_variance = posterior(new, row)
        z = mean + np.exp(log_variance / 2) * EPS
        logits = kernel @ z + bias
        log_p = logits - np.log(np.exp(logits).sum())
        log_x = log_p[np.array(row) - 1].sum()
        q = density(z, mean, log_variance)
        parts = np.array(
            [
                density(z, 0.0, 0.0),
                density(z, *posterior(old, row)),
                density(z, 0.0, 10.0),
            ]
        )
        shares = np.array([0.1, 0.6, 0.3])
        if mix_dimensions:
            log_prior = np.log(shares @ parts).sum()
        else:
            log_prior = np.log(shares @ parts.prod(1))
        each = np.log(q).sum() - log_prior
        likelihood += log_x / 3
        kl += each / 3
        beta += 0.02 * len(row) / 3
        loss += (-log_x + 0.02 * len(row) * each) / 3
    terms = net.objective(batch(), training=False)
    np.testing.assert_allclose(
        [terms[n] for n in ("reconstruction", "kl", "bound", "beta", "loss")],
        [-likelihood, kl, kl - likelihood, beta, loss],
        rtol=1e-4,
    )


def test_order_and_repetition_do_not_matter(monkeypatch):
    silence(monkeypatch)
    assert_reads_sets(model())


class Watch(keras.callbacks.Callback):
    """Sees after each step what has moved, and how much was read in it."""

    def __init__(self, net: RecVAE):
        super().__init__()
        self.seen = []
        self.before = self.values(net)

    def values(self, net):
        groups = net.encoder.variables, net.item_logits.variables, net.old
        return [[np.array(v) for v in group] for group in groups]

    def on_train_batch_end(self, step, logs=None):
        now = self.values(self.model)
        moved = [
            not all(np.array_equal(*pair) for pair in zip(a, b, strict=True))
            for a, b in zip(now, self.before, strict=True)
        ]
        self.before = now
        self.seen.append("".join("edo"[i] for i in range(3) if moved[i]))
        if "o" in self.seen[-1]:
            new, _, old = now
            for pair in zip(new, old, strict=True):
                np.testing.assert_array_equal(*pair)


def steps(net: RecVAE, epochs: int) -> list[str]:
    """Returns who moved in each step: encoder, decoder, old posterior."""
    watch = Watch(net)
    data = tf.data.Dataset.from_tensors(batch()).repeat(2)
    net.fit(data, epochs=epochs, verbose=0, shuffle=False, callbacks=[watch])
    return watch.seen


def test_encoder_and_decoder_take_turns_of_epochs():
    # Epochs of two steps.
    found = steps(model(encoder_epochs=1), epochs=3)
    assert found == ["e", "eo", "d", "d", "e", "eo"]


def test_without_turns_both_move_and_each_epoch_is_remembered():
    found = steps(model(alternate_updates=False), epochs=1)
    assert found == ["ed", "edo"]


def test_the_decoder_learns_from_whole_sets():
    net = model(encoder_epochs=1)
    net.adapt(tf.data.Dataset.from_tensors(batch()))
    bags = tf.tile([[1, 2, 3, 4]], [50, 1])
    items, scale = net.reading(bags, training=True)
    assert 0 < tf.math.count_nonzero(items) < 200
    net.steps.assign(1)
    items, scale = net.reading(bags, training=True)
    np.testing.assert_array_equal(items, bags)
    np.testing.assert_allclose(scale, 0.5, rtol=1e-6)


def test_the_prior_begins_as_the_posterior(monkeypatch):
    silence(monkeypatch)
    terms = model(old_share=1.0, wide_share=0.0).objective(
        batch(), training=False
    )
    np.testing.assert_allclose(terms["kl"], 0.0, atol=1e-6)


def test_shares_of_more_than_all_are_refused():
    with pytest.raises(InputError, match=r"old_share.*0\.75 and 0\.5"):
        RecVAEConfig(wide_share=0.5)


def test_training_learns_the_tastes():
    net = model(hidden_units=16, learning_rate=0.03, alternate_updates=False)
    net.compile()
    train(net, 30)
    assert_knows_the_tastes(net)
