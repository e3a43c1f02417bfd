"""The measured likelihoods are those of the formulas, and bounds are bounds."""

import dataclasses
import types

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import likelihood
from benchmarks.likelihood import (
    Found,
    LikelihoodConfig,
    measure,
    measure_run,
)
from tests.models.small import QUIET, acvae, per_position
from tfrec.batches import EvaluationBatch, Query
from tfrec.errors import InputError
from tfrec.models import GRU4Rec, GRU4RecConfig

_QUERY = Query.of(tf.constant([[1, 2, 3], [4, 5, 0]], tf.int32))
# Of the first history twice, of the second once.
_ROWS, _ITEMS = tf.constant([0, 0, 1]), tf.constant([[7], [9], [8]])


def conditional(**changes):
    """Returns a small model with a learned prior that reads its states."""
    net = per_position(
        **{**QUIET, "prior": "learned", "kl_weight": 1.0}, **changes
    )
    kernel = net.recognition.mean.kernel
    kernel.assign(0.2 * tf.random.stateless_normal(kernel.shape, [1, 2]))
    net.recognition.log_scale.bias.assign(tf.fill([4], -0.2))
    return net


def test_bounds_lie_above_what_many_draws_of_the_prior_say():
    net = conditional()
    found = measure(net, _QUERY, _ROWS, _ITEMS, 60, 0)
    # Both estimate -log p(x' | h).
    np.testing.assert_allclose(found["weighted"], found["drawn"], atol=0.35)
    assert np.all(found["bound"] >= found["weighted"])
    states = net.states(_QUERY)
    state = tf.stack([states[0, 2], states[0, 2], states[1, 1]])
    seen = tf.concat([state, net.embedding(_ITEMS[:, 0])], -1)
    # In the coordinates of the prior, which is N(0, I) there.
    mean, scale = net.recognition.mean(seen).numpy(), np.exp(-0.2)
    exact = np.sum(0.5 * (mean**2 + scale**2 - 1.0) + 0.2, -1)
    np.testing.assert_allclose(found["kl"], exact, atol=0.3)


def test_with_a_prior_that_is_not_learned_it_is_the_objective():
    net = per_position(**{**QUIET, "kl_weight": 1.0})
    found = measure(net, _QUERY, _ROWS[:1], _ITEMS[:1], 60, 0)
    state = net.states(Query.of([[1, 2, 3]]))[:, -1]
    mean = net.posterior.mean(state).numpy()
    log_scale = net.posterior.log_scale(state).numpy()
    kl = 0.5 * (mean**2 + np.exp(2 * log_scale) - 1.0) - log_scale
    np.testing.assert_allclose(found["kl"], kl.sum(1), rtol=0.15)
    # Draws of q(z | h) are the same for both, but for the prior's weight.
    expected = found["kl"] + found["drawn"]
    np.testing.assert_allclose(found["bound"], expected, rtol=0.05)


def test_the_bound_of_one_draw_is_its_own_weight():
    found = measure(conditional(), _QUERY, _ROWS, _ITEMS, 1, 3)
    np.testing.assert_allclose(found["bound"], found["weighted"], rtol=1e-5)


def test_items_of_a_window_share_a_latent():
    net = conditional()
    pair = tf.constant([[7, 9]])
    together = measure(net, _QUERY, tf.constant([0]), pair, 200, 0)
    each = tf.constant([0, 0]), tf.transpose(pair)
    apart = measure(net, _QUERY, *each, 200, 0)
    score = tf.reduce_sum(apart["score"])
    np.testing.assert_allclose(together["score"], [score], rtol=1e-5)
    # The mean of products over draws, not the product of means.
    assert abs(together["drawn"][0] - tf.reduce_sum(apart["drawn"])) > 1e-3
    # One KL divergence for both, of a posterior that sees their mean.
    state = net.states(_QUERY)[:1, 2]
    seen = tf.concat([state, tf.reduce_mean(net.embedding(pair), 1)], -1)
    mean, scale = net.recognition.mean(seen).numpy(), np.exp(-0.2)
    exact = np.sum(0.5 * (mean**2 + scale**2 - 1.0) + 0.2, -1)
    np.testing.assert_allclose(together["kl"], exact, atol=0.3)
    assert together["bound"] > together["drawn"]


def test_without_a_latent_it_is_what_the_scores_say():
    net = GRU4Rec(15, GRU4RecConfig(embedding_dim=8, loss="softmax"))
    net.compile()
    found = measure(net, _QUERY, _ROWS, _ITEMS, 3, 0)
    shares = tf.nn.softmax(net.score(_QUERY)).numpy()
    expected = -np.log(shares[[0, 0, 1], [6, 8, 7]])
    assert list(found) == ["score"]
    np.testing.assert_allclose(found["score"], expected, rtol=1e-5)


def run_of(model, *batches, checksum="of the data"):
    """Returns as much of a run as is asked for."""
    return types.SimpleNamespace(
        model=model,
        data=types.SimpleNamespace(
            evaluation=lambda split, batch_size: batches,
            manifest=types.SimpleNamespace(data_checksum=checksum),
        ),
    )


def test_a_user_is_a_mean_and_what_has_no_probability_is_counted(monkeypatch):
    net = conditional(exclude_history=True)
    batch = EvaluationBatch.of(
        *(
            tf.constant(rows, tf.int32)
            for rows in (
                [[1, 2, 3], [4, 5, 0], [6, 0, 0]],
                # 16 was never seen, 6 is of the history and alone.
                [[7, 9, 16], [8, 0, 0], [6, 0, 0]],
                [[1, 2, 3], [4, 5, 0], [6, 0, 0]],
            )
        )
    )
    monkeypatch.setattr(likelihood, "load_run", lambda _: run_of(net, batch))
    config = LikelihoodConfig(run_dirs=("run",), draws=2)
    found = measure_run(config, "run")
    assert found.left_out == 2
    pairs = measure_run(dataclasses.replace(config, window=2), "run")
    assert pairs.left_out == 3
    assert len(pairs.best) == 1
    query = Query.of(batch.history)
    each = measure(net, query, _ROWS, _ITEMS, 2, 0)
    assert found.users.tolist() == [0, 1]
    for name, values in each.items():
        expected = [np.mean(values[:2]), values[2]]
        np.testing.assert_allclose(found.nats[name], expected, rtol=1e-4)
    assert found.best is found.nats["bound"]
    # In another batch, users have other places and draws.
    twice = run_of(net, batch, batch)
    monkeypatch.setattr(likelihood, "load_run", lambda _: twice)
    found = measure_run(dataclasses.replace(config, batch_size=3), "run")
    assert found.users.tolist() == [0, 1, 3, 4]
    assert found.best[0] != found.best[2]


def test_runs_are_compared_user_by_user():
    one = Found(
        {"score": np.array([1.0, 2.0, 4.0])}, np.array([0, 3, 5]), 0, "a"
    )
    other = Found({"score": np.array([8.0, 3.0])}, np.array([4, 5]), 0, "a")
    assert one.apart(other).tolist() == [1.0]
    with pytest.raises(InputError, match="runs of the same data"):
        one.apart(other._replace(checksum="b"))


def test_a_density_that_is_not_known_is_refused(monkeypatch):
    monkeypatch.setattr(likelihood, "load_run", lambda _: run_of(acvae()))
    with pytest.raises(InputError, match="whose density is known"):
        measure_run(LikelihoodConfig(run_dirs=("run",)), "run")
