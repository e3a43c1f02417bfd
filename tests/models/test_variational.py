"""Tests of what every model with a latent must do."""

import numpy as np
import pytest
import tensorflow as tf

from tests.models.test_acvae import model as acvae
from tests.models.test_vaser import model as vaser


@pytest.fixture(name="model", params=[acvae, vaser], ids=["acvae", "vaser"])
def _model(request):
    return request.param


def test_future_items_do_not_change_past_logits(model):
    net = model()
    items = np.random.default_rng(0).integers(1, 16, [2, 9])
    changed = items.copy()
    changed[:, 6:] = changed[:, 6:] % 15 + 1
    before = net.decode(net.latents(items, None))
    after = net.decode(net.latents(changed, None))
    np.testing.assert_array_equal(before[:, :6], after[:, :6])
    assert np.abs(before - after)[:, 6:].max() > 1e-6


def test_padding_does_not_change_scores(model):
    net = model()
    history = tf.constant([[3, 1, 4], [1, 5, 0]])
    padded = tf.pad(history, [[0, 0], [0, 4]])
    np.testing.assert_allclose(
        net.score(history), net.score(padded), rtol=1e-5, atol=1e-6
    )


def test_only_the_newest_items_are_read(model):
    net = model(max_length=4)
    long = tf.constant([[9, 9, 9, 1, 2, 3, 4, 0]])
    np.testing.assert_allclose(
        net.score(long), net.score(tf.constant([[1, 2, 3, 4]])), rtol=1e-5
    )


def test_an_empty_history_has_scores(model):
    scores = model().score(tf.zeros([2, 0], tf.int32))
    np.testing.assert_allclose(np.exp(scores).sum(1), 1.0, rtol=1e-5)


def test_noise_changes_the_latent_and_no_noise_does_not(model):
    net = model()
    history = tf.constant([[1, 2, 3], [4, 5, 0]])
    noise = net.draw_noise(history)
    centre = net.latent(history, tf.zeros_like(noise))
    np.testing.assert_allclose(net.latent(history), centre, rtol=1e-5)
    assert np.abs(net.latent(history, noise) - centre).max() > 1e-3


def test_posterior_samples_average_the_predictive_distribution(model):
    net = model(posterior_samples=40)
    alone = net.score(tf.constant([[1, 2, 3]]))
    both = net.score(tf.constant([[4, 5, 6, 7], [1, 2, 3, 0]]))
    np.testing.assert_allclose(np.exp(alone).sum(1), 1.0, rtol=1e-4)
    # The draws are seeded: a history has one answer, whatever is beside it.
    np.testing.assert_allclose(both[1], alone[0], rtol=1e-4, atol=1e-5)
    noise_free = net.decode(net.latent(tf.constant([[1, 2, 3]])))
    assert np.abs(noise_free - alone).max() > 1e-4


def test_the_cosine_softmax_ignores_the_length_of_item_vectors(model):
    net = model(cosine_scale=5.0, tie_weights=True)
    latent = net.latent(tf.constant([[1, 2, 3]]))
    before = net.decode(latent)
    net.embedding.embeddings.assign(7.0 * net.embedding.embeddings)
    np.testing.assert_allclose(net.decode(latent), before, rtol=1e-5)


@pytest.mark.parametrize("draws", [0, 3])
def test_items_of_the_history_have_no_probability_if_it_is_excluded(
    model, draws
):
    net = model(exclude_history=True, posterior_samples=draws)
    history = tf.constant([[1, 2, 2, 3], [4, 5, 0, 0], [0, 0, 0, 0]])
    scores = net.score(history).numpy()
    lowest = np.float32(tf.float32.min)
    for row, left_out in zip(scores, [[1, 2, 3], [4, 5], []], strict=True):
        at = np.array(left_out, int) - 1
        np.testing.assert_array_equal(row[at], lowest)
        np.testing.assert_allclose(np.exp(row).sum(), 1.0, rtol=1e-4)
        assert (np.delete(row, at) > -100).all()
    # Evaluation reads the scores in blocks: the same ranking. With draws, whose
    # distributions are added up there, the same but for their number.
    blocks = net.block_scores(history)
    found = np.concatenate([blocks(0, 7), blocks(7, 15)], 1)
    found = np.where(scores > lowest, found, lowest)
    if draws:
        mean = np.where(scores > lowest, found - np.log(draws), lowest)
        np.testing.assert_allclose(mean, scores, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(
        np.argsort(found, 1, "stable"), np.argsort(scores, 1, "stable")
    )


def test_a_history_of_every_item_leaves_nothing(model):
    scores = model(exclude_history=True).score(tf.range(1, 16)[None])
    np.testing.assert_array_equal(scores, np.full([1, 15], tf.float32.min))


def test_excluding_the_history_trains_on_the_rest(model):
    items = tf.constant([[1, 2, 3, 4], [5, 6, 7, 0]])
    weight = tf.ones([2])

    def reconstruction(net):
        objective = getattr(net, "objectives", None) or net.objective
        return objective(items, weight, training=False)["reconstruction"]

    paper, ours = model(), model(exclude_history=True)
    ours.set_weights(paper.get_weights())
    assert reconstruction(ours) < reconstruction(paper)
