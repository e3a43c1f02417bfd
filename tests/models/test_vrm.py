"""Tests of VRM: the bound of a whole session, and what a prefix predicts."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.small import batch, chains
from tfrec.batches import Query
from tfrec.models import VRM, VRMConfig

SMALL = {
    "embedding_dim": 8,
    "gru_units": 6,
    "latent_dim": 4,
    "max_length": 12,
    "embedding_dropout": 0.0,
    "decoder_dropout": 0.0,
    "anneal_steps": 0,
}
ROWS = ((1, 2, 3, 4, 5), (6, 7, 8), (9,))


def model(num_items: int = 15, **changes) -> VRM:
    """Returns a small compiled model whose scale depends on the session."""
    made = VRM(num_items, VRMConfig(**{**SMALL, **changes}))
    kernel = made.posterior.log_scale.kernel
    kernel.assign(0.5 * tf.random.stateless_normal(kernel.shape, [1, 2]))
    made.compile()
    return made


def gaussian(net: VRM, session: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """Returns mu and sigma of a session, read by Keras's own cell."""
    state = tf.zeros([1, 6])
    for item in session:
        state, _ = net.encoder.cell(net.embedding(tf.constant([item])), [state])
    mean = net.posterior.mean(state).numpy()
    return mean[0], np.exp(net.posterior.log_scale(state).numpy()[0])


def written(net: VRM, z: np.ndarray, session: tuple[int, ...]) -> np.ndarray:
    """Returns log p(i | z, x_1 ... x_t) for t = 0 to the session's length."""
    w, b = (v.numpy() for v in net.to_state.weights)
    state, found = np.tanh(z @ w + b)[None], []
    for item in (*session, None):
        found.append(net.item_logits(net.to_vector(state))[0].numpy())
        if item:
            x = net.embedding(tf.constant([item]))
            state, _ = net.decoder.cell(x, [state])
    return np.stack(found)


@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_the_loss_is_the_bound_of_whole_sessions(beta, monkeypatch):
    net = model(kl_weight=beta)
    eps = np.array([0.5, -1.0, 0.2, 1.5], np.float32)
    monkeypatch.setattr(
        keras.random, "normal", lambda shape, seed: tf.broadcast_to(eps, shape)
    )
    reconstruction = kl = 0.0
    for session in ROWS:
        mean, scale = gaussian(net, session)
        z = mean + scale * eps
        log_p = written(net, z, session)
        reconstruction -= sum(
            log_p[t, item - 1] for t, item in enumerate(session)
        )
        # One latent a session: log q(z | x) - log p(z) at the draw, once.
        kl += np.sum(-0.5 * eps**2 - np.log(scale)) + 0.5 * np.sum(z**2)
    terms = net.objective(batch(ROWS))
    np.testing.assert_allclose(
        [terms[n] for n in ("reconstruction", "kl", "bound", "loss")],
        np.array(
            [
                reconstruction,
                kl,
                reconstruction + kl,
                reconstruction + beta * kl,
            ]
        )
        / len(ROWS),
        rtol=1e-4,
    )


@pytest.mark.parametrize("prefix", [(), (3,), (1, 2, 3, 4)])
def test_a_prefix_predicts_from_its_own_mean(prefix):
    net = model()
    mean, _ = gaussian(net, prefix)
    query = Query.of(tf.constant([prefix], tf.int32))
    np.testing.assert_allclose(net.encode(query)[0], mean, 1e-4, 1e-6)
    expected = written(net, mean, prefix)[-1]
    np.testing.assert_allclose(net.score(query)[0], expected, 1e-4)
    np.testing.assert_array_equal(net.score(query), net.score(query))


def test_another_latent_writes_another_session():
    net = model()
    query = Query.of([[1, 2, 3], [1, 2, 3]])
    latent = tf.constant([[0.0] * 4, [3.0] * 4])
    found = net.decode(latent, query).numpy()
    for z, row in zip(latent.numpy(), found, strict=True):
        np.testing.assert_allclose(row, written(net, z, (1, 2, 3))[-1], 1e-4)
    assert np.abs(found[0] - found[1]).max() > 1e-3


def test_beta_grows_over_all_of_training():
    net = model(kl_weight=0.2, anneal_steps=4)
    net.compile(run_eagerly=True)
    data = tf.data.Dataset.from_tensors(batch()).repeat(3)
    shown = net.fit(data, epochs=2, verbose=0, shuffle=False).history["beta"]
    np.testing.assert_allclose(shown, [0.05, 0.2 - 0.05 / 3], rtol=1e-5)


def test_every_variable_learns():
    net = model()
    with tf.GradientTape() as tape:
        loss = net.objective(batch())["loss"]
    variables = net.trainable_variables
    gradients = tape.gradient(loss, [v.value for v in variables])
    for variable, gradient in zip(variables, gradients, strict=True):
        assert np.abs(tf.convert_to_tensor(gradient)).max() > 0, variable.path


def test_training_learns_to_follow_a_chain():
    keras.utils.set_random_seed(1)
    net = model(10, gru_units=16, learning_rate=2e-2)
    data = tf.data.Dataset.from_tensors(chains()).repeat(80)
    net.fit(data, verbose=0, shuffle=False)
    items, scores = net.recommend([[2, 3, 4], [8, 9, 10]], k=1)
    assert items[:, 0].tolist() == [5, 1]
    # Popularity gives it 1 / 10.
    assert np.exp(scores).min() > 0.5
