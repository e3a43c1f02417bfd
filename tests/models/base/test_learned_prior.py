"""Tests of a prior that is learned, and of a posterior that sees what comes."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability.python.distributions import (
    MultivariateNormalDiag,
)

from tests.models.small import QUIET, batch, chains, per_position
from tfrec.batches import Query
from tfrec.errors import InputError
from tfrec.training.strategy import make_strategy

FLOWS = {"posterior": "flow", "flows": 2, "flow_parameters": "amortized"}
ALL = {**FLOWS, "prior_flows": 2, "recognition_units": 3, "target_window": 2}


def model(**changes):
    """Returns a small model; prior and posterior depend on the states."""
    given = {**QUIET, "prior": "learned", "kl_weight": 1.0, **changes}
    made = per_position(**given)
    made.compile()
    for i, each in enumerate((made.posterior, made.recognition)):
        for j, layer in enumerate((each.mean, each.log_scale)):
            shape = layer.kernel.shape
            drawn = tf.random.stateless_normal(shape, [i, j])
            layer.kernel.assign(0.3 * drawn)
        if each.amortized:
            kernel = each.flows.parameters.kernel
            drawn = tf.random.stateless_normal(kernel.shape, [i, 2])
            kernel.assign(0.3 * drawn)
    return made


def gaussian(posterior, seen) -> MultivariateNormalDiag:
    """Returns the distribution of a posterior without its flows."""
    scale = tf.exp(posterior.log_scale(seen))
    return MultivariateNormalDiag(posterior.mean(seen), scale)


@pytest.mark.parametrize(
    "parts", [{}, FLOWS, ALL], ids=["gaussian", "flows", "all"]
)
def test_the_bound_is_that_of_the_formula(parts, monkeypatch):
    """-log p(x' | z) + log q(z | h, x') - log p(z | h) at each position."""
    net = model(**parts)
    window = net.config.target_window
    eps = np.array([0.5, -1.0, 0.2, 1.5], np.float32)
    monkeypatch.setattr(
        keras.random, "normal", lambda shape, seed: tf.broadcast_to(eps, shape)
    )
    rows = ((1, 2, 3, 4, 5), (6, 7, 8))
    reconstruction = kl = 0.0
    for row in rows:
        for place in range(1, len(row)):
            history = tf.constant([row[:place]])
            state = net.states(Query.of(history))[:, -1]
            came = row[place : place + window]
            following = tf.reduce_mean(net.embedding(tf.constant([came])), 1)
            seen = tf.concat([state, following], -1)
            if net.recognition.reader:
                seen = tf.tanh(
                    seen @ net.recognition.reader.kernel
                    + net.recognition.reader.bias
                )
            start = gaussian(net.recognition, seen)
            u = start.loc + eps * start.stddev()
            log_q = start.log_prob(u)
            if parts:
                for flow in net.recognition.flows.of_states(seen):
                    log_q -= flow.forward_log_det_jacobian(u, 1)
                    u = flow.forward(u)
            # z = f(mu_p + sigma_p u) has the density of u over that of the map.
            prior = gaussian(net.posterior, state)
            z = prior.loc + prior.stddev() * u
            log_q -= tf.reduce_sum(tf.math.log(prior.stddev()), -1)
            bends = []
            if net.config.prior_flows:
                bends = net.posterior.flows.of_states(state)
            for flow in bends:
                log_q -= flow.forward_log_det_jacobian(z, 1)
                z = flow.forward(z)
            # The prior's density of z, from z back to its Gaussian.
            back, log_p = z, 0.0
            for flow in reversed(bends):
                log_p += flow.inverse_log_det_jacobian(back, 1)
                back = flow.inverse(back)
            log_p += prior.log_prob(back)
            kl += float((log_q - log_p)[0])
            logits = net.item_logits(net.decode_states(z))
            shares = tf.nn.log_softmax(logits)[0].numpy()
            reconstruction -= np.mean([shares[item - 1] for item in came])
    terms = net.objective(batch(rows), training=False)
    np.testing.assert_allclose(
        terms["reconstruction"], reconstruction / 2, rtol=1e-4
    )
    np.testing.assert_allclose(terms["kl"], kl / 2, rtol=1e-4)
    np.testing.assert_allclose(
        terms["bound"], (reconstruction + kl) / 2, rtol=1e-4
    )


def test_only_the_posterior_sees_what_comes():
    net = model()
    states = tf.random.stateless_normal([1, 6], [1, 2])
    noise = tf.zeros([1, 4])
    one, other = (
        net.draw_posterior(states, tf.constant([[item]]), noise).latent
        for item in (3, 4)
    )
    assert np.abs(one - other).max() > 1e-3
    # What is recommended is drawn from the prior.
    query = Query.of([[1, 2, 3]])
    state = net.states(query)[:, -1]
    np.testing.assert_allclose(
        net.encode(query), net.posterior.mean(state), rtol=1e-5, atol=1e-6
    )


def test_a_recommendation_draws_from_the_bent_prior():
    net = model(prior_flows=2)
    query = Query.of([[1, 2, 3]])
    state = net.states(query)[:, -1]
    noise = net.noise(tf.constant([3, 4]), query.history)[2]
    for u, found in (
        (tf.zeros([4]), net.encode(query)),
        (noise, net.sample(query, tf.constant([[3, 4]]))),
    ):
        prior = gaussian(net.posterior, state)
        expected = prior.loc + prior.stddev() * u
        for flow in net.posterior.flows.of_states(state):
            bent = flow.forward(expected)
            assert np.abs(bent - expected).max() > 1e-3
            expected = bent
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_prior_learns_what_the_history_tells():
    keras.utils.set_random_seed(1)
    net = per_position(
        num_items=10,
        prior="learned",
        kl_weight=1.0,
        learning_rate=0.03,
        **{**QUIET, **FLOWS},
    )
    net.compile()
    data = tf.data.Dataset.from_tensors(chains()).repeat(100)
    before = float(net.objective(chains(), training=False)["bound"])
    net.fit(data, verbose=0)
    assert float(net.objective(chains(), training=False)["bound"]) < before / 2
    items, _ = net.recommend([[1, 2, 3, 4], [7, 8, 9, 10]], k=1)
    assert items[:, 0].tolist() == [5, 1]


def test_free_bits_cost_what_they_are():
    # Four, two and three positions, in the mean over three sequences.
    each = float(model().objective(batch(), training=False)["kl"]) / (9 / 3)
    for bits in (0.5 * each, 2.0 * each):
        terms = model(free_bits=bits).objective(batch(), training=False)
        found = terms["loss"] - terms["reconstruction"]
        # The draws differ, and with them the KL divergence.
        expected = max(float(terms["kl"]), 9 / 3 * bits)
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_free_bits_are_those_of_the_batch_on_all_devices(monkeypatch):
    eps = np.array([0.5, -1.0, 0.2, 1.5], np.float32)
    monkeypatch.setattr(
        keras.random, "normal", lambda shape, seed: tf.broadcast_to(eps, shape)
    )
    parts = [
        tf.nest.map_structure(lambda values, p=part: values[p], batch())
        for part in (slice(0, 1), slice(1, 3))
    ]

    def same(**changes):
        keras.utils.set_random_seed(0)
        return model(**changes)

    one, *others = (
        float(same().objective(part, training=False)["kl"])
        for part in (batch(), *parts)
    )
    means = [
        kl / count for kl, count in zip(others, (4 / 3, 5 / 3), strict=True)
    ]
    bits = (min(means) + one / (9 / 3)) / 2
    # Alone one of the devices would be below, and count as that.
    assert min(means) < bits < one / (9 / 3)
    strategy = make_strategy("mirrored")
    with strategy.scope():
        net = same(free_bits=bits)

    def price(part):
        terms = net.objective(part, training=False)
        return terms["loss"] - terms["reconstruction"]

    @tf.function
    def price_on_each():
        values = strategy.experimental_distribute_values_from_function(
            lambda context: parts[context.replica_id_in_sync_group]
        )
        return strategy.reduce("SUM", strategy.run(price, [values]), axis=None)

    np.testing.assert_allclose(price_on_each(), one, rtol=1e-4)


def test_free_bits_draw_nothing_to_the_prior():
    for bits, moved in ((1e4, False), (1e-3, True)):
        net = model(free_bits=bits)
        with tf.GradientTape() as tape:
            terms = net.objective(batch(), training=False)
            price = terms["loss"] - terms["reconstruction"]
        bias = net.recognition.mean.bias.value
        gradient = tape.gradient(price, bias, unconnected_gradients="zero")
        assert (np.abs(gradient).max() > 0) == moved


def test_diagnostics_are_of_the_posterior():
    net = model()
    query = Query.of(tf.constant([[1, 2, 3], [4, 5, 0]]))
    drawn, quiet = net.posterior_draws(query, tf.constant([1, 2]))
    # Two positions have a next item in the first history, one in the second.
    assert drawn.shape == quiet.shape == (3, 4)
    states = net.states(Query.of([[4]]))[:, -1]
    expected = net.draw_posterior(states, tf.constant([[5]]), None).latent
    np.testing.assert_allclose(quiet[2:], expected, rtol=1e-5, atol=1e-6)
    assert np.abs(drawn - quiet).max() > 0


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"posterior": "implicit", "kl_weight": 0.0}, "--posterior"),
        ({"encoder": "attentive_gru"}, "--encoder"),
        ({"adversarial_weight": 0.1}, "--adversarial_weight"),
        ({"kl_weight": 0.0}, "--kl_weight"),
    ],
)
def test_what_does_not_go_with_it_is_refused(wrong, named):
    with pytest.raises(InputError, match=f"`--prior=learned` needs `{named}"):
        per_position(**{"prior": "learned", "kl_weight": 1.0, **wrong})
