"""Training on several devices computes what one device computes."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training.fits import (
    assert_alike,
    fit,
    sampled,
    sequences,
    silence,
)
from tfrec.errors import InputError
from tfrec.layers.critics import ContrastiveCritic, InfoNCECritic, Pairs
from tfrec.training.strategy import local_strategy, make_strategy

TWO = {"worker": ["a:1", "b:1"]}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return sequences(tmp_path_factory.mktemp("data"))


# As graphs; eagerly it is a contract of models, see tests/models.
@pytest.mark.long
def test_two_devices_make_the_same_update_as_one(data, monkeypatch):
    silence(monkeypatch)
    assert make_strategy("mirrored").num_replicas_in_sync == 2
    one = fit(data, "none", sampled)
    assert_alike(one, fit(data, "mirrored", sampled))


CRITICS = {
    "next": lambda: ContrastiveCritic(3),
    "random": lambda: ContrastiveCritic(3, random_partners=True),
    "infonce": lambda: InfoNCECritic(3),
}


@pytest.mark.parametrize("counts", [(1, 1), (2, 1)])
@pytest.mark.parametrize("kind", CRITICS)
def test_sequences_of_each_device_are_compared_with_the_others(
    kind, counts, monkeypatch
):
    monkeypatch.setattr(
        keras.random, "uniform", lambda shape, seed: tf.fill(shape, 0.7)
    )
    # Each device's padded for itself, as by workers that read alone.
    rows = [
        tf.random.normal([count, length, 4])
        for count, length in zip(counts, (5, 3), strict=True)
    ]
    padded = tf.concat([rows[0], tf.pad(rows[1], [[0, 0], [0, 2], [0, 0]])], 0)
    strategy = make_strategy("mirrored")
    with strategy.scope():
        critic = CRITICS[kind]()
        critic.build((None, None, 4), (None, None, 4))

    def compare(latents):
        with tf.GradientTape() as tape:
            tape.watch(latents)
            pairs = Pairs(
                tf.ones_like(latents),
                latents[..., 0] != 0,
                tf.fill([tf.shape(latents)[0]], 0.5),
                None,
                None,
                latents,
                lambda items: items,
            )
            loss = critic.judge(pairs, None)["contrastive"]
        return loss, tape.gradient(loss, latents)

    @tf.function
    def compare_on_each():
        parts = strategy.experimental_distribute_values_from_function(
            lambda context: rows[context.replica_id_in_sync_group]
        )
        return [
            strategy.experimental_local_results(result)
            for result in strategy.run(compare, [parts])
        ]

    loss, gradient = compare(padded)
    losses, gradients = compare_on_each()
    first = counts[0]
    np.testing.assert_allclose(sum(losses), loss, rtol=1e-5)
    np.testing.assert_allclose(gradients[0], gradient[:first], atol=1e-6)
    np.testing.assert_allclose(gradients[1], gradient[first:, :3], atol=1e-6)


def test_auto_takes_one_device_where_there_are_not_several_gpus():
    assert make_strategy("auto").num_replicas_in_sync == 1
    assert not isinstance(make_strategy("auto"), tf.distribute.MirroredStrategy)


@pytest.mark.parametrize(
    "job",
    [
        None,
        {"cluster": TWO},
        {"cluster": TWO, "task": {"type": "worker", "index": 2}},
        {"cluster": TWO, "task": {"type": "worker", "index": -1}},
        {"cluster": TWO, "task": {"type": "evaluator", "index": 0}},
        {"cluster": {"worker": "a:1"}, "task": {"type": "worker", "index": 0}},
        {"cluster": ["a:1"], "task": {"type": "worker", "index": 0}},
        {
            "cluster": {**TWO, "ps": ["c:1"]},
            "task": {"type": "worker", "index": 0},
        },
    ],
)
def test_a_job_that_is_none_is_refused(monkeypatch, job):
    text = "nonsense" if job is None else json.dumps(job)
    monkeypatch.setenv("TF_CONFIG", text)
    for distribution in ("auto", "multi_worker"):
        with pytest.raises(InputError, match="needs the environment") as error:
            make_strategy(distribution)
        assert f"Received: {text}." in str(error.value)


def test_several_workers_need_a_job(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(InputError, match=r"TF_CONFIG .* Received: nothing\."):
        make_strategy("multi_worker")


def test_a_job_of_one_worker_is_no_several(monkeypatch):
    job = {
        "cluster": {"chief": ["a:1"]},
        "task": {"type": "chief", "index": 0},
    }
    monkeypatch.setenv("TF_CONFIG", json.dumps(job))
    assert make_strategy("auto").num_replicas_in_sync == 1


def test_a_job_must_come_first(monkeypatch):
    job = {"cluster": TWO, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(job))
    tf.constant(0)
    with pytest.raises(InputError, match="must come before TensorFlow"):
        make_strategy("auto")


def test_what_workers_trained_is_read_by_one(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "nonsense")
    assert local_strategy("multi_worker").num_replicas_in_sync == 1
