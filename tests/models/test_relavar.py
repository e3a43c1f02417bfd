"""Tests of ReLaVaR: its bound, and that what is drawn goes on."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.small import QUIET, batch, chains
from tfrec.batches import Query
from tfrec.errors import InputError
from tfrec.models import ReLaVaR, ReLaVaRConfig

SMALL = {"embedding_dim": 8, "latent_dim": 4, "max_length": 12}
ROWS = ((1, 2, 3, 4, 5), (6, 7, 8), (9, 10, 11, 12))


def model(num_items: int = 15, **changes) -> ReLaVaR:
    """Returns a small compiled model."""
    made = ReLaVaR(num_items, ReLaVaRConfig(**{**SMALL, **changes}))
    made.compile()
    return made


def loud(net: ReLaVaR) -> ReLaVaR:
    """Gives the posterior a scale that depends on the state."""
    kernel = net.posterior.log_scale.kernel
    kernel.assign(0.5 * tf.random.stateless_normal(kernel.shape, [1, 2]))
    return net


def after(net: ReLaVaR, z: np.ndarray, item: int) -> tuple[np.ndarray, ...]:
    """Returns mean and scale of the next z, by Keras's own cell."""
    x = net.embedding(tf.constant([item]))
    mean = net.posterior.gru.cell(x, [z[None]])[0].numpy()
    kernel, bias = (w.numpy() for w in net.posterior.log_scale.weights)
    return mean[0], np.exp(np.tanh(mean) @ kernel + bias)[0]


def test_the_loss_is_the_bound_with_draws_that_go_on(monkeypatch):
    """sum_t -log p(x_{t+1} | z_t) + beta KL, one session after the other."""
    net = loud(model(**QUIET, kl_weight=0.3, initial_scale=0.7))
    eps = np.array([0.5, -1.0, 0.2, 1.5], np.float32)
    monkeypatch.setattr(
        keras.random, "normal", lambda shape, seed: tf.broadcast_to(eps, shape)
    )
    reconstruction = kl = 0.0
    for row in ROWS:
        z = np.zeros(4, np.float32)
        for item, following in itertools.pairwise(row):
            mean, scale = after(net, z, item)
            z = mean + scale * eps
            log_p = net.decode(z[None], Query.of([[0]]))[0]
            reconstruction -= log_p[following - 1]
            kl += np.sum(0.5 * (mean**2 + scale**2 - 1) - np.log(scale))
    terms = net.objective(batch(ROWS))
    np.testing.assert_allclose(
        [terms[n] for n in ("reconstruction", "kl", "bound", "loss")],
        np.array(
            [
                reconstruction,
                kl,
                reconstruction + kl,
                reconstruction + 0.3 * kl,
            ]
        )
        / len(ROWS),
        rtol=1e-4,
    )


def test_a_draw_changes_what_is_predicted_later():
    net = model()
    query = Query.of([[1, 2, 3, 4]])
    noise = np.zeros([1, 4, 4], np.float32)
    first, last = noise.copy(), noise.copy()
    first[:, 0] += 3.0
    last[:, 3] += 3.0
    latents = net.latents_after(query, [noise, first, last])
    assert np.abs(latents[0] - latents[1]).max() > 1e-3
    # The last draw is the latent itself: mean and scale times noise.
    moved = (latents[2] - latents[0]).numpy()
    np.testing.assert_allclose(moved, np.full([1, 4], 0.3), rtol=1e-4)


def test_predictions_may_average_draws():
    query = Query.of([[1, 2, 3, 4], [5, 0, 0, 0]])
    net = model(posterior_samples=3, initial_scale=1.0)
    seeds = [tf.constant([[0, i]] * 2) for i in range(3)]
    latents = [net.sample(query, seed) for seed in seeds]
    each = [np.exp(net.decode(latent, query)) for latent in latents]
    np.testing.assert_allclose(
        np.exp(net.score(query)), np.mean(each, 0), rtol=1e-4
    )
    means = np.exp(net.decode(net.encode(query), query))
    assert np.abs(means - np.mean(each, 0)).max() > 1e-4


def test_every_variable_learns():
    net = model(initial_scale=0.5)
    with tf.GradientTape() as tape:
        loss = net.objective(batch())["loss"]
    variables = net.trainable_variables
    gradients = tape.gradient(loss, [v.value for v in variables])
    for variable, gradient in zip(variables, gradients, strict=True):
        assert np.abs(tf.convert_to_tensor(gradient)).max() > 0, variable.path


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("encoder", "gru", "must be one of none"),
        ("posterior", "flow", "must be one of recurrent"),
        ("gru_units", 50, "means nothing with --encoder=none"),
        ("encoder_activation", "softplus", "means nothing with --encoder"),
        ("flows", 2, "means nothing with --posterior=recurrent"),
        ("kernel_size", 2, "means nothing with --posterior=recurrent"),
    ],
)
def test_what_has_no_part_is_refused(setting, value, message):
    with pytest.raises(InputError, match=f"`--{setting}` {message}"):
        ReLaVaRConfig(**{setting: value})


def test_training_learns_to_follow_a_chain():
    keras.utils.set_random_seed(1)
    net = model(
        10,
        latent_dim=8,
        learning_rate=3e-2,
        embedding_dropout=0.1,
        dropout=0.1,
    )
    data = tf.data.Dataset.from_tensors(chains()).repeat(120)
    net.fit(data, verbose=0, shuffle=False)
    items, scores = net.recommend([[2, 3, 4], [8, 9, 10]], k=1)
    assert items[:, 0].tolist() == [5, 1]
    # Popularity gives it 1 / 10.
    assert np.exp(scores).min() > 0.5
