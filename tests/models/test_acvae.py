"""Tests of ACVAE: its objectives and its two discriminators."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrec.batches import TrainingBatch
from tfrec.errors import InputError
from tfrec.models import ACVAE, ACVAEConfig
from tfrec.models.recommender import coming

SMALL = {
    "embedding_dim": 8,
    "gru_units": 6,
    "convolution_filters": 7,
    "latent_dim": 4,
    "decoder_units": 9,
    "critic_units": 5,
    "max_length": 12,
}


def model(num_items: int = 15, **changes) -> ACVAE:
    """Returns a small compiled model."""
    made = ACVAE(num_items, ACVAEConfig(**{**SMALL, **changes}))
    made.compile()
    return made


def batch(rows=((1, 2, 3, 4, 5), (6, 7, 8), (9, 10, 11, 12))) -> TrainingBatch:
    """Returns a training batch of the given sequences."""
    items = tf.ragged.constant(rows, tf.int32).to_tensor()
    return TrainingBatch.of(items)


# Objectives -----------------------------------------------------------------


def test_padding_does_not_change_the_objectives():
    net = model(embedding_dropout=0.0, dropout=0.0)
    net.draw_noise = lambda items: tf.zeros(
        [*tf.unstack(tf.shape(items)), net.posterior.noise_dim]
    )
    data = batch()
    wider = tf.pad(data.items, [[0, 0], [0, 3]])
    # The prior draws of the adversary's loss are random: the rest is compared.
    names = ("reconstruction", "kl_estimate", "contrastive")
    plain = net.objectives(data.items, data.weight)
    padded = net.objectives(wider, data.weight)
    for name in names:
        np.testing.assert_allclose(plain[name], padded[name], rtol=1e-5)


def test_posterior_samples_give_a_history_one_answer():
    net = model(posterior_samples=3)
    alone = net.score(tf.constant([[1, 2, 3]]))
    among = net.score(tf.constant([[5, 4, 0, 0, 0], [1, 2, 3, 0, 0]]))
    np.testing.assert_allclose(alone[0], among[1], rtol=1e-5)


def reached(net: ACVAE, term: str) -> set[str]:
    """Returns which groups of variables a term has a gradient for."""
    data = batch()
    with tf.GradientTape() as tape:
        value = net.objectives(data.items, data.weight)[term]
    variables = net.trainable_variables
    gradients = tape.gradient(value, [v.value for v in variables])
    return {
        variable.path.split("/")[0]
        for variable, gradient in zip(variables, gradients, strict=True)
        if gradient is not None
        and np.abs(tf.convert_to_tensor(gradient)).max() > 0
    }


ENCODER = {"item_embedding", "encoder", "posterior"}
DECODER = {"decoder", "item_softmax"}


def test_gradients_reach_exactly_the_variables_of_equation_13():
    net = model()
    assert reached(net, "reconstruction") == ENCODER | DECODER
    assert reached(net, "contrastive") == ENCODER | {"critic"}
    # T's own variables follow eq. 7 alone; `train_step` does not step them
    # with the first objective, which asks for theirs not at all.
    assert reached(net, "kl_estimate") == ENCODER | {"adversary"}


def test_each_optimizer_steps_its_own_variables():
    net = model()
    groups = {
        "autoencoder": net.autoencoder_variables,
        "adversary": net.adversary.trainable_variables,
        "critic": net.critic.trainable_variables,
    }
    every = [id(v) for group in groups.values() for v in group]
    assert sorted(every) == sorted(id(v) for v in net.trainable_variables)
    before = {name: [v.numpy() for v in g] for name, g in groups.items()}
    net.train_step(batch())
    for name, group in groups.items():
        moved = [
            np.abs(v.numpy() - old).max()
            for v, old in zip(group, before[name], strict=True)
        ]
        assert max(moved) > 0, name


def test_the_adversary_loss_does_not_move_the_encoder():
    net = model(contrastive_weight=0.0)
    # With a learning rate of zero of its own the encoder must stand still,
    # however far the adversary steps.
    net.compile(
        optimizer=keras.optimizers.SGD(0.0),
        adversary_optimizer=keras.optimizers.SGD(0.5),
    )
    before = [v.numpy() for v in net.autoencoder_variables]
    psi = net.adversary.trainable_variables[0].numpy()
    net.train_step(batch())
    for old, new in zip(before, net.autoencoder_variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())
    assert np.abs(psi - net.adversary.trainable_variables[0].numpy()).max() > 0


@pytest.mark.parametrize(
    ("weight", "term", "layer"),
    [
        ("adversarial_weight", "kl_estimate", "adversary"),
        ("contrastive_weight", "contrastive", "critic"),
    ],
)
def test_a_term_of_weight_zero_is_left_out(weight, term, layer):
    net = model(**{weight: 0.0})
    variables = getattr(net, layer).trainable_variables
    before = [v.numpy() for v in variables]
    assert net.train_step(batch())[term] == 0
    for old, new in zip(before, variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


def test_updates_alternate_as_in_algorithm_1():
    net = model(alternate_updates=True)
    step = tf.function(net.train_step)
    counts = []
    for _ in range(4):
        step(batch())
        counts.append(
            (
                int(net.optimizer.iterations),
                int(net.adversary_optimizer.iterations),
            )
        )
    assert counts == [(1, 0), (1, 1), (2, 1), (2, 2)]


def test_alternate_updates_refuse_a_distribution_strategy():
    with (
        tf.distribute.MirroredStrategy(["CPU:0"]).scope(),
        pytest.raises(InputError, match="--alternate_updates"),
    ):
        model(alternate_updates=True)


def test_one_sequence_has_no_negative():
    with pytest.raises(tf.errors.InvalidArgumentError, match="two at least"):
        model().train_step(batch([[1, 2, 3]]))
    without = model(contrastive_weight=0.0)
    assert np.isfinite(without.train_step(batch([[1, 2, 3]]))["loss"])


def test_contrast_counts_only_positions_valid_in_both():
    net = model()
    latents = tf.random.normal([2, 3, 4])
    embedded = tf.random.normal([2, 3, 8])
    valid = tf.constant([[True, True, True], [True, False, False]])
    loss = net.critic.loss(embedded, latents, valid, tf.ones([2]))
    own = net.critic(embedded, latents)
    crossed = net.critic(embedded, latents[::-1])
    expected = tf.reduce_sum(tf.boolean_mask(tf.nn.softplus(-own), valid))
    expected += tf.reduce_sum(tf.nn.softplus(crossed[:, 0]))
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_a_window_of_targets_is_the_next_items():
    np.testing.assert_array_equal(
        coming(tf.constant([[5, 6, 7, 0]]), 3),
        [[[5, 6, 7], [6, 7, 0], [7, 0, 0], [0, 0, 0]]],
    )


def test_training_starts_at_popularity():
    net = model()
    items = tf.constant([[1, 2, 2, 0], [2, 3, 2, 0]])
    net.adapt(tf.data.Dataset.from_tensors(TrainingBatch.of(items)))
    odds = np.exp(net.item_softmax(tf.zeros([1, 9])))[0]
    np.testing.assert_allclose(odds[:3] / odds[3], [2, 5, 2], rtol=1e-4)


# The discriminators do what the paper says ----------------------------------


def test_the_adversary_recovers_a_known_log_ratio():
    """T* = log q(z | x) - log p(z), eq. 8, for a Gaussian q of known KL."""
    keras.utils.set_random_seed(5)
    net = model(critic_units=64, latent_dim=2)
    mean = tf.constant([[0.9, -0.6], [-0.4, 0.8]])
    deviation = tf.constant([[0.6, 0.8], [0.9, 0.5]])
    embedded = tf.constant([[1.0] * 8, [-1.0] * 8])
    optimizer = keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(5e-3, 1500)
    )
    variables = net.adversary.trainable_variables
    optimizer.build(variables)
    rows = 512

    def sample(count):
        users = tf.repeat([0, 1], count // 2)
        z = tf.gather(mean, users)
        z += tf.gather(deviation, users) * tf.random.normal([count, 2])
        return users, z

    @tf.function
    def step():
        users, z = sample(rows)
        with tf.GradientTape() as tape:
            loss = net.adversarial_terms(
                tf.gather(embedded, users), z, tf.fill([rows], 1 / rows)
            )["adversary_loss"]
        optimizer.apply(tape.gradient(loss, [v.value for v in variables]))

    for _ in range(1500):
        step()
    users, z = sample(4000)
    m, s = tf.gather(mean, users), tf.gather(deviation, users)
    true = tf.reduce_sum(
        0.5 * z**2 - 0.5 * ((z - m) / s) ** 2 - tf.math.log(s), -1
    )
    estimate = net.adversary(tf.gather(embedded, users), z)
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
    assert real_kl == pytest.approx(fake_kl, rel=1e-12)

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


def test_training_learns_to_follow_a_chain():
    keras.utils.set_random_seed(1)
    net = model(10, learning_rate=1e-2, embedding_dropout=0.1, dropout=0.1)
    starts = np.arange(40) % 10
    chains = (starts[:, None] + np.arange(9)) % 10 + 1
    data = tf.data.Dataset.from_tensors(batch(chains.tolist())).repeat(150)
    net.fit(data, verbose=0, shuffle=False)
    items, scores = net.recommend([[2, 3, 4], [8, 9, 10]], k=1)
    assert items[:, 0].tolist() == [5, 1]
    assert np.exp(scores).min() > 0.5
