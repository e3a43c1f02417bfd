"""Tests of ACVAE: its objectives, and who minimises them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.small import QUIET, acvae, batch, chains
from tfrec.batches import Query, TrainingBatch
from tfrec.errors import InputError
from tfrec.models import ACVAE


def constant_rate(rate, every=1):
    return rate


def players(net: ACVAE) -> dict[str, list[keras.Variable]]:
    """Returns the variables that each player moves."""
    return {p.name: p.variables for p in net.players(constant_rate)}


def test_padding_does_not_change_the_objectives():
    net = acvae(**QUIET)
    net.draw_noise = lambda shape: tf.zeros(
        [*tf.unstack(shape), net.posterior.noise_dim]
    )
    data = batch()
    wider = data._replace(items=tf.pad(data.items, [[0, 0], [0, 3]]))
    # The prior draws of the adversary's loss are random: the rest is compared.
    names = ("reconstruction", "kl_estimate", "contrastive")
    plain = net.objective(data)
    padded = net.objective(wider)
    for name in names:
        np.testing.assert_allclose(plain[name], padded[name], rtol=1e-5)


def test_posterior_samples_give_a_history_one_answer():
    net = acvae(posterior_samples=3)
    alone = net.score(Query.of([[1, 2, 3]]))
    among = net.score(Query.of([[5, 4, 0, 0, 0], [1, 2, 3, 0, 0]]))
    np.testing.assert_allclose(alone[0], among[1], rtol=1e-5)


def reached(net: ACVAE, term: str) -> set[str]:
    """Returns which groups of variables a term has a gradient for."""
    with tf.GradientTape() as tape:
        value = net.objective(batch())[term]
    variables = net.trainable_variables
    gradients = tape.gradient(value, [v.value for v in variables])
    return {
        variable.path.split("/")[0]
        for variable, gradient in zip(variables, gradients, strict=True)
        if gradient is not None
        and np.abs(tf.convert_to_tensor(gradient)).max() > 0
    }


ENCODER = {"item_embedding", "encoder", "posterior"}
DECODER = {"decoder", "item_logits"}


def test_gradients_reach_exactly_the_variables_of_equation_13():
    net = acvae()
    assert reached(net, "reconstruction") == ENCODER | DECODER
    assert reached(net, "contrastive") == ENCODER | {"critic"}
    # T's own variables follow eq. 7 alone; `train_step` does not step them
    # with the first objective, which asks for theirs not at all.
    assert reached(net, "kl_estimate") == ENCODER | {"adversary"}


def test_the_loss_is_the_sum_of_equation_12():
    net = acvae(adversarial_weight=0.3, contrastive_weight=0.7)
    terms = net.objective(batch())
    expected = (
        terms["reconstruction"]
        + 0.3 * terms["kl_estimate"]
        + 0.7 * terms["contrastive"]
    )
    np.testing.assert_allclose(terms["loss"], expected, rtol=1e-5)


def test_each_optimizer_steps_its_own_variables():
    net = acvae()
    groups = players(net)
    assert list(groups) == ["model", "adversary", "critic"]
    every = [id(v) for group in groups.values() for v in group]
    assert sorted(every) == sorted(id(v) for v in net.trainable_variables)
    for name in ("adversary", "critic"):
        own = getattr(net, name).trainable_variables
        assert [id(v) for v in groups[name]] == [id(v) for v in own]
    before = {name: [v.numpy() for v in g] for name, g in groups.items()}
    net.train_step(batch())
    for name, group in groups.items():
        moved = [
            np.abs(v.numpy() - old).max()
            for v, old in zip(group, before[name], strict=True)
        ]
        assert max(moved) > 0, name
        assert int(net.optimizers[name].iterations) == 1


def test_the_adversary_loss_does_not_move_the_encoder():
    net = acvae(contrastive_weight=0.0)
    # With a learning rate of zero of its own the encoder must stand still,
    # however far the adversary steps.
    net.compile(
        optimizer=keras.optimizers.SGD(0.0),
        optimizers={"adversary": keras.optimizers.SGD(0.5)},
    )
    autoencoder = players(net)["model"]
    before = [v.numpy() for v in autoencoder]
    psi = net.adversary.trainable_variables[0].numpy()
    net.train_step(batch())
    for old, new in zip(before, autoencoder, strict=True):
        np.testing.assert_array_equal(old, new.numpy())
    assert np.abs(psi - net.adversary.trainable_variables[0].numpy()).max() > 0


@pytest.mark.parametrize(
    ("weight", "terms", "player"),
    [
        ("adversarial_weight", {"kl_estimate", "adversary_loss"}, "adversary"),
        ("contrastive_weight", {"contrastive"}, "critic"),
    ],
)
def test_a_term_of_weight_zero_is_left_out_with_its_player(
    weight, terms, player
):
    whole, net = acvae(), acvae(**{weight: 0.0})
    shown = set(net.train_step(batch()))
    assert shown == set(whole.train_step(batch())) - terms
    assert players(net).keys() == players(whole).keys() - {player}
    assert getattr(net, player) is None
    paths = {variable.path.split("/")[0] for variable in net.variables}
    assert player not in paths


def test_without_convolution_and_contrast_it_learns():
    net = acvae(kernel_size=1, contrastive_weight=0.0)
    before = float(net.objective(batch())["reconstruction"])
    net.fit(tf.data.Dataset.from_tensors(batch()).repeat(30), verbose=0)
    assert float(net.objective(batch())["reconstruction"]) < before


def test_half_the_square_of_z_may_stand_in_the_place_of_t():
    net = acvae(regularizer="l2", adversarial_weight=0.3, **QUIET)
    assert list(players(net)) == ["model", "critic"]
    net.draw_noise = lambda shape: tf.zeros(
        [*tf.unstack(shape), net.posterior.noise_dim]
    )
    data = batch()
    latents = net.posterior(net.states(data.query), None).latent
    z = tf.boolean_mask(latents, data.targets > 0).numpy()
    expected = np.sum(z**2) / 2 / 3
    terms = net.objective(data)
    np.testing.assert_allclose(terms["l2"], expected, rtol=1e-5)
    added = terms["loss"] - terms["reconstruction"]
    added -= net.config.contrastive_weight * terms["contrastive"]
    np.testing.assert_allclose(added, 0.3 * expected, rtol=1e-3)
    # And the encoder follows it.
    assert reached(net, "l2") == ENCODER
    assert np.isfinite(net.train_step(data)["l2"])


def test_without_a_regularizer_the_autoencoder_and_the_contrast_are_left():
    net = acvae(regularizer="none")
    assert list(players(net)) == ["model", "critic"]
    terms = net.objective(batch())
    assert set(terms) == {"loss", "reconstruction", "contrastive"}


@pytest.mark.parametrize(
    "changes",
    [
        {"contrast": "infonce"},
        {"contrast_partners": "random"},
        {"contrast": "infonce", "critic_optimizer": "adam"},
    ],
)
def test_any_contrast_trains_encoder_and_critic(changes):
    net = acvae(**changes)
    assert reached(net, "contrastive") == ENCODER | {"critic"}
    before = [v.numpy() for v in net.critic.trainable_variables]
    assert np.isfinite(net.train_step(batch())["contrastive"])
    for old, new in zip(before, net.critic.trainable_variables, strict=True):
        assert np.abs(new.numpy() - old).max() > 0
    with pytest.raises(tf.errors.InvalidArgumentError, match="two at least"):
        net.train_step(batch([[1, 2, 3]]))


def test_critics_have_the_optimizer_that_is_asked_for():
    plain, adam = acvae(), acvae(critic_optimizer="adam")
    for name in ("adversary", "critic"):
        assert type(plain.optimizers[name]) is keras.optimizers.SGD
        assert type(adam.optimizers[name]) is keras.optimizers.AdamW
        for net in (plain, adam):
            chosen = net.optimizers[name]
            assert float(chosen.learning_rate) == pytest.approx(5e-4)
            assert chosen.weight_decay == pytest.approx(0.1)


def test_updates_alternate_as_in_algorithm_1():
    net = acvae(alternate_updates=True)
    step = tf.function(net.train_step)
    counts = []
    for _ in range(4):
        step(batch())
        counts.append([int(o.iterations) for o in net.optimizers.values()])
    assert list(net.optimizers) == ["model", "adversary", "critic"]
    # The critic shares the encoder's objective, and its turn.
    assert counts == [[1, 0, 1], [1, 1, 1], [2, 1, 2], [2, 2, 2]]


def test_alternate_updates_refuse_a_distribution_strategy():
    with (
        tf.distribute.MirroredStrategy(["CPU:0"]).scope(),
        pytest.raises(InputError, match="--noalternate_updates"),
    ):
        acvae(alternate_updates=True)


def test_one_sequence_has_no_negative():
    with pytest.raises(tf.errors.InvalidArgumentError, match="two at least"):
        acvae().train_step(batch([[1, 2, 3]]))
    without = acvae(contrastive_weight=0.0)
    assert np.isfinite(without.train_step(batch([[1, 2, 3]]))["loss"])


def test_training_starts_at_popularity():
    net = acvae()
    items = tf.constant([[1, 2, 2, 0], [2, 3, 2, 0]])
    net.adapt(tf.data.Dataset.from_tensors(TrainingBatch.of(items)))
    odds = np.exp(net.item_logits(tf.zeros([1, 9])))[0]
    np.testing.assert_allclose(odds[:3] / odds[3], [2, 5, 2], rtol=1e-4)


def test_training_learns_to_follow_a_chain():
    keras.utils.set_random_seed(1)
    net = acvae(10, learning_rate=1e-2, embedding_dropout=0.1, dropout=0.1)
    data = tf.data.Dataset.from_tensors(chains()).repeat(150)
    net.fit(data, verbose=0, shuffle=False)
    items, scores = net.recommend([[2, 3, 4], [8, 9, 10]], k=1)
    assert items[:, 0].tolist() == [5, 1]
    assert np.exp(scores).min() > 0.5
