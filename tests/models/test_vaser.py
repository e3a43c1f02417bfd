"""Tests of VASER: its causal pass, its objective, its settings."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.small import QUIET, batch, chains, vaser
from tfrec.batches import Query
from tfrec.errors import InputError
from tfrec.models import VASER, VASERConfig


def silence(net: VASER) -> None:
    """Takes the posterior's variance away."""
    bias = net.posterior.of_state.log_scale.bias
    bias.assign(tf.fill(bias.shape, -30.0))


@pytest.mark.parametrize("changes", [{}, {"attention_posterior": True}])
def test_one_causal_pass_trains_on_every_prefix(changes, monkeypatch):
    net = vaser(**QUIET, **changes, kl_weight=0.5, anneal_steps=0)
    # The same draw, eps = 0, for every prefix: the KL is then comparable too.
    monkeypatch.setattr(
        keras.random, "normal", lambda shape, seed: tf.zeros(shape)
    )
    data = batch()
    sessions = [row[row > 0] for row in data.items.numpy()]

    def loss(session, t):
        prefix = Query.of(session[None, :t])
        draw = net.posterior(net.states(prefix), None)
        surprise = -net.score(prefix)[0, session[t] - 1]
        return surprise + 0.5 * draw.kl[0, -1]

    with tf.GradientTape(persistent=True) as tape:
        together = net.objective(data)["loss"]
        apart = tf.add_n(
            [
                loss(session, t) / len(sessions)
                for session in sessions
                for t in range(1, len(session))
            ]
        )
    np.testing.assert_allclose(together, apart, rtol=1e-5)
    variables = net.trainable_variables
    found, expected = (
        tape.gradient(loss, [v.value for v in variables])
        for loss in (together, apart)
    )
    for variable, ours, theirs in zip(variables, found, expected, strict=True):
        np.testing.assert_allclose(
            tf.convert_to_tensor(ours),
            tf.convert_to_tensor(theirs),
            rtol=1e-3,
            atol=1e-6,
            err_msg=variable.path,
        )


def test_padding_does_not_change_the_objective():
    net = vaser(**QUIET)
    silence(net)
    data = batch()
    wider = data._replace(items=tf.pad(data.items, [[0, 0], [0, 3]]))
    plain, padded = net.objective(data), net.objective(wider)
    for name in ("reconstruction", "log_det"):
        np.testing.assert_allclose(plain[name], padded[name], rtol=1e-5)


def test_every_variable_learns():
    net = vaser(attention_posterior=True, kl_weight=1.0, anneal_steps=0)
    with tf.GradientTape() as tape:
        loss = net.objective(batch())["loss"]
    variables = net.trainable_variables
    gradients = tape.gradient(loss, [v.value for v in variables])
    for variable, gradient in zip(variables, gradients, strict=True):
        assert np.abs(tf.convert_to_tensor(gradient)).max() > 0, variable.path


def test_the_loss_weighs_the_kl_with_beta():
    net = vaser(kl_weight=0.2, anneal_steps=10)
    step, objective = tf.function(net.train_step), tf.function(net.objective)
    seen = []
    for _ in range(13):
        terms = objective(batch())
        seen.append(float(terms["beta"]))
        np.testing.assert_allclose(
            terms["loss"],
            terms["reconstruction"] + seen[-1] * terms["kl"],
            rtol=1e-5,
        )
        np.testing.assert_allclose(
            terms["bound"], terms["reconstruction"] + terms["kl"], rtol=1e-5
        )
        step(batch())
    np.testing.assert_allclose(seen[:3], [0.0, 0.02, 0.04], atol=1e-6)
    np.testing.assert_allclose(seen[10:], 0.2, rtol=1e-6)
    shown = float(net.term_means["beta"].result())
    assert shown == pytest.approx(np.mean(seen))


@pytest.mark.parametrize("changes", [{}, {"attention_posterior": True}])
def test_the_printed_objective_has_no_entropy(changes, monkeypatch):
    """-E[log p(s | z_K)] + beta (sum_k log|det| - log p(z_K)), eq. 9."""
    net = vaser(
        **QUIET, **changes, objective="printed", kl_weight=0.3, anneal_steps=0
    )
    eps = tf.random.stateless_normal([net.posterior.noise_dim], [1, 2])
    monkeypatch.setattr(
        keras.random, "normal", lambda shape, seed: tf.broadcast_to(eps, shape)
    )
    data, posterior = batch(), net.posterior
    printed = 0.0
    for row in data.items.numpy():
        items = row[row > 0][:-1]
        states = net.states(Query.of(items[None]))
        halves = [(posterior.of_state, states[..., :6], eps[:4])]
        if changes:
            halves += [(posterior.of_context, states[..., 6:], eps[4:])]
        for part, half, noise in halves:
            z = part.mean(half) + tf.exp(part.log_scale(half)) * noise
            z, log_det = part.flows(z)
            printed += float(tf.reduce_sum(0.5 * z**2))
            printed += float(tf.reduce_sum(log_det))
    terms = net.objective(data)
    added = terms["loss"] - terms["reconstruction"]
    np.testing.assert_allclose(added, 0.3 * printed / 3, rtol=1e-4)
    # The bound is shown all the same.
    np.testing.assert_allclose(
        terms["bound"], terms["reconstruction"] + terms["kl"], rtol=1e-5
    )


@pytest.mark.parametrize("changes", [{}, {"attention_posterior": True}])
def test_the_scale_at_the_start_is_a_setting(changes):
    assert VASERConfig().initial_scale == 0.1
    net = vaser(**changes, initial_scale=0.5)
    posterior, states = net.posterior, tf.random.normal([3, 6])
    parts = [posterior.of_state]
    parts += [posterior.of_context] if changes else []
    for part in parts:
        scale = tf.exp(part.log_scale(states))
        np.testing.assert_allclose(scale, np.full(scale.shape, 0.5), 1e-5)


def test_at_the_scale_of_the_prior_the_kl_begins_near_that_of_the_means():
    quiet, loud = (vaser(flows=0, initial_scale=s) for s in (0.1, 1.0))
    loud.posterior.of_state.mean.set_weights(
        quiet.posterior.of_state.mean.get_weights()
    )
    kls = [float(net.objective(batch())["kl"]) for net in (quiet, loud)]
    # Each of 9 prefixes has 4 dimensions, each of them log 10 - 0.495 nats.
    assert kls[0] - kls[1] > 0.5 * 9 / 3 * 4 * (np.log(10) - 0.495)


def test_progress_shows_every_term_of_the_objective(monkeypatch):
    monkeypatch.setattr(
        keras.random, "normal", lambda shape, seed: tf.ones(shape)
    )
    net = vaser(**QUIET, kl_weight=0.3, anneal_steps=0)
    expected = net.objective(batch())
    # What epochs.csv and TensorBoard get.
    shown = net.fit(tf.data.Dataset.from_tensors(batch()), verbose=0).history
    assert set(shown) == set(expected)
    assert set(shown) >= {"reconstruction", "kl", "log_det", "bound", "beta"}
    for name, (value,) in shown.items():
        assert value == pytest.approx(float(expected[name]), rel=1e-4), name
        assert abs(value) > 1e-3, name


def test_without_flows_the_posterior_is_gaussian():
    net = vaser(flows=0)
    assert float(net.objective(batch())["log_det"]) == 0.0
    assert not net.posterior.of_state.flows.trainable_variables


def test_a_tied_decoder_has_no_item_vectors_of_its_own():
    def names(net):
        return {v.path for v in net.trainable_variables}

    assert names(vaser(tie_weights=False)) - names(vaser()) == {
        "item_logits/kernel"
    }


@pytest.mark.parametrize(
    ("name", "value"), [("kl_weight", -0.1), ("flows", -1)]
)
def test_negative_settings_are_refused(name, value):
    with pytest.raises(InputError, match=f"`--{name}` must be at least 0"):
        VASERConfig(**{name: value})


def test_training_learns_to_follow_a_chain():
    keras.utils.set_random_seed(1)
    net = vaser(10, learning_rate=2e-2, embedding_dropout=0.1, dropout=0.1)
    data = tf.data.Dataset.from_tensors(chains()).repeat(150)
    net.fit(data, verbose=0, shuffle=False)
    items, scores = net.recommend([[2, 3, 4], [8, 9, 10]], k=1)
    assert items[:, 0].tolist() == [5, 1]
    assert np.exp(scores).min() > 0.5
