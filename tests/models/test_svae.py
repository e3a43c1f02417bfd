"""Tests of SVAE: the bound of its paper, and that it learns sets."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrec.batches import Query, TrainingBatch
from tfrec.errors import InputError
from tfrec.models import SVAE, SVAEConfig

SMALL = {
    "embedding_dim": 8,
    "gru_units": 6,
    "encoder_units": 5,
    "latent_dim": 4,
    "decoder_units": 7,
    "max_length": 12,
}
ROWS = ((1, 2, 3, 4, 5, 6, 7), (8, 9, 10), (11, 12, 13, 2))


def model(num_items: int = 15, **changes) -> SVAE:
    """Returns a small compiled model."""
    made = SVAE(num_items, SVAEConfig(**{**SMALL, **changes}))
    made.compile()
    return made


def batch(rows=ROWS) -> TrainingBatch:
    """Returns a training batch of the given sequences."""
    return TrainingBatch.of(tf.ragged.constant(rows, tf.int32).to_tensor())


def gaussian(net: SVAE, history: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Returns mu and sigma after a history, read layer by layer."""
    encoder, posterior = net.encoder, net.posterior
    embedded = net.embedding(tf.constant([history]))
    hidden = encoder.gru(embedded)[0, -1:].numpy()
    w, b = (v.numpy() for v in encoder.hidden.trainable_variables)
    hidden = np.tanh(hidden @ w + b)
    mean = posterior.mean(hidden).numpy()[0]
    return mean, np.exp(posterior.log_scale(hidden).numpy()[0])


def loud(net: SVAE) -> SVAE:
    """Gives the posterior a scale that depends on the state."""
    kernel = net.posterior.log_scale.kernel
    kernel.assign(0.5 * tf.random.stateless_normal(kernel.shape, [1, 2]))
    return net


def test_the_loss_is_the_bound_of_the_paper(monkeypatch):
    """sum_t -E_q[mean log p(next k | z_t)] + beta KL, prefix by prefix."""
    net = loud(model(target_window=3, kl_weight=0.3, anneal_steps=0))
    # One draw, the same at every position: the expectations are its values.
    eps = np.array([0.5, -1.0, 0.2, 1.5], np.float32)
    monkeypatch.setattr(
        keras.random, "normal", lambda shape, seed: tf.broadcast_to(eps, shape)
    )
    reconstruction = kl = 0.0
    for row in ROWS:
        for t in range(1, len(row)):
            mean, scale = gaussian(net, row[:t])
            z = mean + scale * eps
            log_p = net.decode(z[None], Query.of([[0]]))[0].numpy()
            reconstruction -= np.mean([log_p[i - 1] for i in row[t : t + 3]])
            log_q = np.sum(-0.5 * eps**2 - np.log(scale))
            kl += log_q - np.sum(-0.5 * z**2)
    terms = net.objective(batch())
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
        rtol=1e-5,
    )


def test_the_kl_is_on_average_that_of_the_formula():
    net = loud(model())
    net.posterior.mean.kernel.assign(3.0 * net.posterior.mean.kernel)
    exact = 0.0
    for row in ROWS:
        for t in range(1, len(row)):
            mean, scale = gaussian(net, row[:t])
            exact += 0.5 * np.sum(mean**2 + scale**2 - 1 - 2 * np.log(scale))
    draw = tf.function(lambda: net.objective(batch())["kl"])
    drawn = [float(draw()) for _ in range(300)]
    error = np.std(drawn) / np.sqrt(len(drawn))
    assert abs(np.mean(drawn) - exact / len(ROWS)) < 4 * error


def test_beta_grows_over_all_of_training():
    net = model(kl_weight=0.2, anneal_steps=4)
    data = tf.data.Dataset.from_tensors(batch()).repeat(3)
    # Two epochs of three steps: it does not begin again with the second.
    shown = net.fit(data, epochs=2, verbose=0, shuffle=False).history["beta"]
    np.testing.assert_allclose(shown, [0.05, 0.2 - 0.05 / 3], rtol=1e-5)


def test_prediction_reads_the_last_item_and_draws_nothing():
    net = model()
    one, other = net.score(Query.of([[1, 2, 3]])), net.score(Query.of([[1, 2]]))
    assert np.abs(one - other).max() > 1e-6
    np.testing.assert_array_equal(one, net.score(Query.of([[1, 2, 3]])))


def test_it_has_one_encoder():
    with pytest.raises(InputError, match="`--encoder` must be one of gru"):
        SVAEConfig(encoder="attentive_gru")
    # Any posterior goes with it.
    for posterior in ("flow", "implicit"):
        net = model(posterior=posterior)
        assert np.isfinite(net.train_step(batch())["loss"])


def test_training_learns_the_set_of_the_next_items():
    keras.utils.set_random_seed(1)
    net = model(
        12,
        target_window=3,
        kl_weight=0.01,
        learning_rate=2e-2,
        weight_decay=0.0,
    )
    starts = np.arange(48) % 12
    chains = (starts[:, None] + np.arange(9)) % 12 + 1
    data = tf.data.Dataset.from_tensors(batch(chains.tolist())).repeat(150)
    net.fit(data, verbose=0, shuffle=False)
    items, scores = net.recommend([[2, 3, 4], [9, 10, 11]], k=3)
    assert [set(row) for row in items.tolist()] == [{5, 6, 7}, {12, 1, 2}]
    # Popularity would give the three 3 / 12 together. The nearest has a little
    # more than 1 / 3: it alone is left where a sequence ends.
    assert np.exp(scores).sum(1).min() > 0.9
    assert np.exp(scores).min() > 0.15
