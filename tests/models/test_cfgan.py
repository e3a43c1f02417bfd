"""Tests of CFGAN: its two losses, what is drawn, and that it learns sets."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.contract import silence
from tests.models.sets import (
    NUM_ITEMS,
    ROWS,
    assert_knows_the_tastes,
    assert_reads_sets,
    batch,
    train,
)
from tfrec.errors import InputError
from tfrec.models import CFGAN, CFGANConfig

SMALL = {"hidden_units": 6, "discriminator_units": 5}


def model(**changes) -> CFGAN:
    """Returns a small compiled model."""
    made = CFGAN(NUM_ITEMS, CFGANConfig(**{**SMALL, **changes}))
    made.compile(run_eagerly=True)
    return made


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_the_losses_are_those_of_the_paper(monkeypatch):
    net = model(zero_weight=0.3, zero_share=0.4, masked_share=0.7)
    rng = np.random.default_rng(0)
    for variable in net.trainable_variables:
        variable.assign_add(0.5 * rng.normal(size=variable.shape))
    # First for zero reconstruction, then for the mask.
    chances = rng.uniform(size=[2, len(ROWS), NUM_ITEMS])
    given = iter(chances.astype(np.float32))
    monkeypatch.setattr(
        keras.random, "uniform", lambda shape, seed: next(given)
    )
    w1, b1, w2, b2 = (
        v.numpy()
        for layer in (net.item_sum, net.item_logits)
        for v in layer.trainable_variables
    )
    d = net.discriminator
    u, c = (v.numpy() for v in d.condition.trainable_variables)
    (v,) = (v.numpy() for v in d.ratings.trainable_variables)
    out, offset = (v.numpy() for v in d.decide.trainable_variables)

    def judge(x, ratings):
        return sigmoid(sigmoid(x @ u + ratings @ v + c) @ out + offset)

    generator = discriminator = zeros = 0.0
    for number, row in enumerate(ROWS):
        x = np.zeros(NUM_ITEMS)
        x[np.array(row) - 1] = 1
        r = w2 @ sigmoid(x @ w1 + b1) + b2
        drawn = (1 - x) * (chances[0, number] < 0.4)
        mask = (1 - x) * (chances[1, number] < 0.7)
        fake = judge(x, r * (x + mask))
        discriminator -= np.log(judge(x, x)) + np.log(1 - fake)
        generator -= np.log(fake)
        zeros += np.sum(drawn * r**2)
    terms = net.objective(batch())
    np.testing.assert_allclose(terms["zero_reconstruction"], zeros / 3, 1e-5)
    np.testing.assert_allclose(
        terms["loss"], (generator.item() + 0.3 * zeros) / 3, 1e-5
    )
    np.testing.assert_allclose(
        terms["discriminator_loss"], discriminator.item() / 3, 1e-5
    )


def test_order_and_repetition_do_not_matter(monkeypatch):
    silence(monkeypatch)
    assert_reads_sets(model())


def test_items_are_drawn_anew_from_those_that_a_user_lacks():
    net = model()
    others = tf.tile([[True] * 6 + [False] * 3], [2000, 1])
    one, other = net.draw(others, 0.7).numpy(), net.draw(others, 0.7).numpy()
    assert set(np.unique(one)) == {0.0, 1.0}
    np.testing.assert_array_equal(one[:, 6:], 0.0)
    np.testing.assert_allclose(one[:, :6].mean(0), 0.7, atol=0.05)
    # Independent of what was drawn before: .7^2 + .3^2 agree.
    agree = (one == other)[:, :6].mean()
    assert agree == pytest.approx(0.58, abs=0.03)
    for share in (0.0, 1.0):
        drawn = net.draw(others, share)
        np.testing.assert_array_equal(drawn, share * tf.cast(others, "float32"))


def moved(net: CFGAN, epochs: int) -> list[str]:
    """Returns which player has moved in each step, in epochs of two."""
    seen = []

    class Watch(keras.callbacks.Callback):
        def values(self):
            generator, discriminator = self.model._players()
            return [
                [np.array(v) for v in player.variables]
                for player in (generator, discriminator)
            ]

        def on_train_batch_begin(self, step, logs=None):
            self.before = self.values()

        def on_train_batch_end(self, step, logs=None):
            seen.append(
                "".join(
                    name
                    for name, old, new in zip(
                        "gd", self.before, self.values(), strict=True
                    )
                    if not all(map(np.array_equal, old, new))
                )
            )

    data = tf.data.Dataset.from_tensors(batch()).repeat(2)
    net.fit(data, epochs=epochs, verbose=0, shuffle=False, callbacks=[Watch()])
    return seen


def test_both_move_in_every_step():
    assert moved(model(), 1) == ["gd", "gd"]


def test_they_may_take_turns_of_epochs():
    net = model(alternate_updates=True, generator_epochs=2)
    assert moved(net, 4) == ["d", "d", "g", "g", "g", "g", "d", "d"]


def test_settings_of_turns_mean_nothing_without_them():
    with pytest.raises(InputError, match=r"generator_epochs.*without --alt"):
        CFGANConfig(generator_epochs=2)


def test_training_learns_the_tastes():
    # As few units as tastes: with more each set is learned by heart.
    net = model(
        hidden_units=3,
        learning_rate=0.03,
        discriminator_learning_rate=0.02,
        zero_weight=0.2,
    )
    net.compile()
    train(net, 150)
    assert_knows_the_tastes(net)
