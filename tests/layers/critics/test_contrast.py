"""Tests of the contrastive critics."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrec.layers.critics import ContrastiveCritic, InfoNCECritic, Pairs
from tfrec.shapes import Positions


def critic(made=ContrastiveCritic, **changes) -> ContrastiveCritic:
    """Returns a critic of embeddings of size 8 and latents of size 4."""
    layer = made(5, **changes)
    layer.build((None, None, 8), (None, None, 4))
    return layer


def pairs(valid: list[list[int]]) -> Pairs:
    """Returns sequences of other items each, and a latent at each position."""
    valid = tf.cast(valid, tf.bool)
    rows, length = valid.shape
    weight = tf.constant([0.2, 1.0, 3.0, 0.7])[:rows]
    items = tf.reshape(tf.range(rows * length), [rows, length])
    table = tf.random.stateless_normal([rows * length, 8], [1, 2])
    latents = tf.random.stateless_normal([rows, length, 4], [3, 4])
    positions = Positions.where(valid, weight)
    latent = positions.read(latents)
    return Pairs(
        items,
        valid,
        weight,
        positions,
        latent,
        latents,
        lambda items: tf.gather(table, items),
    )


def test_contrast_counts_only_positions_valid_in_both():
    net = critic()
    latents = tf.random.normal([2, 3, 4])
    embedded = tf.random.normal([2, 3, 8])
    valid = tf.constant([[True, True, True], [True, False, False]])
    loss = net.loss(embedded, latents, valid, tf.ones([2]))
    own = net(embedded, latents)
    crossed = net(embedded, latents[::-1])
    expected = tf.reduce_sum(tf.boolean_mask(tf.nn.softplus(-own), valid))
    expected += tf.reduce_sum(tf.nn.softplus(crossed[:, 0]))
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_a_sequence_is_set_against_the_one_before_it():
    net = critic()
    latents = tf.random.normal([3, 2, 4])
    embedded = tf.random.normal([3, 2, 8])
    weight = tf.constant([0.2, 1.0, 3.0])
    loss = net.loss(embedded, latents, tf.ones([3, 2], tf.bool), weight)
    expected = 0.0
    for row in range(3):
        own = net(embedded[row][None], latents[row][None])
        other = net(embedded[row][None], latents[row - 1][None])
        each = tf.nn.softplus(-own) + tf.nn.softplus(other)
        expected += weight[row] * tf.reduce_sum(each)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_one_sequence_has_no_negative():
    with pytest.raises(tf.errors.InvalidArgumentError, match="two at least"):
        critic().loss(
            tf.zeros([1, 2, 8]),
            tf.zeros([1, 2, 4]),
            tf.ones([1, 2], tf.bool),
            tf.ones([1]),
        )


@pytest.mark.parametrize("draw", [0.0, 0.3, 0.4, 0.99, 1.0])
def test_a_random_partner_is_any_other_sequence(draw, monkeypatch):
    net = critic(random_partners=True)
    data = pairs([[1, 1], [1, 1], [1, 1], [1, 1]])
    monkeypatch.setattr(
        keras.random, "uniform", lambda shape, seed: tf.fill(shape, draw)
    )
    # Of three steps that lead to another, each has a third of the draws.
    steps = 1 + min(int(3 * draw), 2)
    others = tf.roll(data.latents, steps, 0)
    embedded = data.embedded_sequences()
    own, other = net(embedded, data.latents), net(embedded, others)
    each = tf.nn.softplus(-own) + tf.nn.softplus(other)
    expected = tf.reduce_sum(data.weight * tf.reduce_sum(each, 1))
    found = net.judge(data, None)["contrastive"]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_infonce_is_the_share_of_the_own_latent_among_all():
    """-log exp(G(x_i, z_i)) / sum_j exp(G(x_i, z_j)), place by place."""
    net = critic(InfoNCECritic)
    data = pairs([[1, 1, 1], [1, 0, 0], [1, 1, 0]])
    states = net.gru(data.embedded_sequences()).numpy()
    kernel = net.to_latent.kernel.numpy()
    latents, valid = data.latents.numpy(), data.valid.numpy()
    expected = 0.0
    for i in range(3):
        for t in range(3):
            if not valid[i, t]:
                continue
            scores = {
                j: states[i, t] @ kernel @ latents[j, t]
                for j in range(3)
                if valid[j, t]
            }
            total = np.log(sum(np.exp(score) for score in scores.values()))
            expected += float(data.weight[i]) * (total - scores[i])
    found = net.judge(data, None)
    assert set(found) == set(net.terms)
    np.testing.assert_allclose(found["contrastive"], expected, rtol=1e-5)


def test_infonce_moves_latents_and_critic_and_no_embedding():
    net = critic(InfoNCECritic)
    data = pairs([[1, 1], [1, 0], [1, 1]])
    with tf.GradientTape() as tape:
        tape.watch(data.latents)
        loss = net.judge(data, None)["contrastive"]
    sources = [data.latents, *(v.value for v in net.trainable_variables)]
    of_latents, *of_critic = tape.gradient(loss, sources)
    # Not where there is no one.
    np.testing.assert_array_equal(of_latents[1, 1], np.zeros(4))
    assert np.abs(of_latents[0]).min() > 0
    assert all(np.abs(each).max() > 0 for each in of_critic)


def test_infonce_of_one_sequence_is_refused():
    with pytest.raises(tf.errors.InvalidArgumentError, match="two at least"):
        critic(InfoNCECritic).judge(pairs([[1, 1]]), None)
