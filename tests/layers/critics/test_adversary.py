"""Tests of the adversary: it estimates log q(z | x) - log p(z)."""

import keras
import numpy as np
import tensorflow as tf

from tfrec.layers.critics import Adversary, Pairs
from tfrec.shapes import Positions


def pairs(items, latent, weights, embed) -> Pairs:
    """Returns pairs of sequences of one item and a latent for each."""
    items = items[:, None]
    valid = tf.ones_like(items, tf.bool)
    positions = Positions.where(valid, weights)
    return Pairs(items, valid, weights, positions, latent, None, embed)


def test_terms_are_the_weighted_sums_of_equations_7_and_10(monkeypatch):
    adversary = Adversary(5, prior=True)
    adversary.build((None, 3), (None, 2))
    table = tf.random.normal([4, 3])
    items, weights = tf.constant([2, 0, 3]), tf.constant([0.5, 2.0, 0.1])
    latent, prior = tf.random.normal([3, 2]), tf.random.normal([3, 2])
    monkeypatch.setattr(keras.random, "normal", lambda shape, seed: prior)
    terms = adversary.judge(
        pairs(items, latent, weights, lambda i: tf.gather(table, i)), None
    )
    t = adversary(tf.gather(table, items), latent).numpy()
    t_prior = adversary(tf.gather(table, items), prior).numpy()
    # -log sigmoid(T) for the posterior, -log(1 - sigmoid(T)) for the prior.
    each = np.log1p(np.exp(-t)) + np.log1p(np.exp(t_prior))
    np.testing.assert_allclose(
        terms["adversary_loss"], (weights.numpy() * each).sum(), rtol=1e-5
    )
    np.testing.assert_allclose(
        terms["kl_estimate"], (weights.numpy() * t).sum(), rtol=1e-5
    )
    assert set(terms) == set(adversary.terms)


def test_the_prior_is_the_known_part_of_the_ratio():
    without, known = (Adversary(5, prior) for prior in (False, True))
    for adversary in (without, known):
        adversary.build((None, 3), (None, 2))
    known.set_weights(without.get_weights())
    items, latent = tf.random.normal([4, 3]), tf.random.normal([4, 2])
    np.testing.assert_allclose(
        known(items, latent) - without(items, latent),
        0.5 * (tf.reduce_sum(latent**2, 1) - 2.0),
        rtol=1e-4,
        atol=1e-5,
    )


def test_the_adversary_recovers_a_known_log_ratio():
    """T* = log q(z | x) - log p(z), eq. 8, for a Gaussian q of known KL."""
    keras.utils.set_random_seed(5)
    adversary = Adversary(64, prior=True)
    adversary.build((None, 8), (None, 2))
    seed = keras.random.SeedGenerator()
    mean = tf.constant([[0.9, -0.6], [-0.4, 0.8]])
    deviation = tf.constant([[0.6, 0.8], [0.9, 0.5]])
    embedded = tf.constant([[1.0] * 8, [-1.0] * 8])
    optimizer = keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(5e-3, 1500)
    )
    variables = adversary.trainable_variables
    optimizer.build(variables)
    rows = 512

    def embed(users):
        return tf.gather(embedded, users)

    def sample(count):
        users = tf.repeat([0, 1], count // 2)
        z = tf.gather(mean, users)
        z += tf.gather(deviation, users) * tf.random.normal([count, 2])
        return users, z

    @tf.function
    def step():
        users, z = sample(rows)
        given = pairs(users, z, tf.fill([rows], 1 / rows), embed)
        with tf.GradientTape() as tape:
            loss = adversary.judge(given, seed)["adversary_loss"]
        optimizer.apply(tape.gradient(loss, [v.value for v in variables]))

    for _ in range(1500):
        step()
    users, z = sample(4000)
    m, s = tf.gather(mean, users), tf.gather(deviation, users)
    true = tf.reduce_sum(
        0.5 * z**2 - 0.5 * ((z - m) / s) ** 2 - tf.math.log(s), -1
    )
    estimate = adversary(embed(users), z)
    error = np.sqrt(np.mean((estimate - true) ** 2))
    kl = np.mean(true)
    print(f"KL {kl:.3f}, estimated {np.mean(estimate):.3f}, error {error:.3f}")
    assert abs(np.mean(estimate) - kl) < 0.1 * kl
    assert error < 0.2 * np.std(true)


def test_a_discriminator_tells_dependent_latents_where_kl_cannot():
    """Figure 2: the means of two dimensions, equal in kind, but one tied."""
    generator = np.random.default_rng(0)
    sigma, rows = 0.4, 4000

    def draw(tied):
        mean = generator.choice([-1.0, 1.0], [rows, 2])
        if tied:
            mean[:, 1] = mean[:, 0]
        z = mean + sigma * generator.normal(size=[rows, 2])
        kl = 0.5 * (mean**2 + sigma**2 - 1 - np.log(sigma**2)).sum(1).mean()
        return z.astype("float32"), kl

    (real, real_kl), (fake, fake_kl) = draw(tied=False), draw(tied=True)
    np.testing.assert_allclose(real_kl, fake_kl, rtol=1e-12)

    discriminator = keras.Sequential(
        [keras.layers.Dense(16, "relu"), keras.layers.Dense(1)]
    )
    discriminator.compile(
        keras.optimizers.Adam(1e-2),
        keras.losses.BinaryCrossentropy(from_logits=True),
    )
    labels = np.repeat([1.0, 0.0], rows)[:, None]
    discriminator.fit(
        np.concatenate([real, fake]), labels, 256, epochs=8, verbose=0
    )
    quadrant = np.array([[1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [-1.0, -1.0]])
    answers = tf.sigmoid(discriminator(quadrant.astype("float32")))[:, 0]
    # Half of the real points lie where tied ones never do; in the other
    # quadrants tied points are twice as dense, so D = 1 / 3.
    assert min(answers[:2]) > 0.9
    assert max(answers[2:]) < 0.45
