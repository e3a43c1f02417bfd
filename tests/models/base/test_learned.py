"""Tests of models with an objective: players, optimizers, counting."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.small import batch, vaser
from tests.toy import Toy
from tfrec.batches import EvaluationBatch, TrainingBatch
from tfrec.errors import InputError
from tfrec.models.base.learned import Player

ITEMS = tf.constant([[1, 2, 3], [4, 4, 0]])


class Duel(Toy):
    """Two players of terms of their own, who move in turns."""

    @property
    def terms(self):
        return "loss", "other"

    def objective(self, batch, training=True):
        mean = tf.reduce_mean(self.embedding(batch.items))
        return {"loss": self.scale * mean, "other": self.scale - mean}

    def players(self, rate):
        vectors, sgd = self.embedding.trainable_variables, keras.optimizers.SGD
        return [
            Player("model", "loss", vectors, sgd(1.0), (0, 1), 3),
            Player("scale", "other", [self.scale], sgd(0.25), (2,), 3),
        ]


class Counting(Toy):
    """Keeps the counts that it was given."""

    counts_items = True
    taken = ()

    def take_counts(self, counts):
        self.taken += (counts.numpy().tolist(),)


def batches(count: int = 1) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensors(TrainingBatch.of(ITEMS)).repeat(count)


def test_optimizers_are_the_players_own_unless_chosen_by_name():
    model = Toy(5)
    model.compile()
    assert isinstance(model.optimizers["model"], keras.optimizers.AdamW)
    assert isinstance(model.optimizers["scale"], keras.optimizers.SGD)
    assert model.optimizer is model.optimizers["model"]
    chosen = keras.optimizers.Adam(0.5)
    model.compile(optimizer="sgd", optimizers={"scale": chosen})
    assert isinstance(model.optimizers["model"], keras.optimizers.SGD)
    assert model.optimizers["scale"] is chosen


def test_the_name_of_no_player_is_refused():
    with pytest.raises(InputError, match=r"model, scale\. Received: adversary"):
        Toy(5).compile(optimizers={"adversary": "sgd"})


def test_a_schedule_gives_the_first_player_its_rate():
    model = Toy(5)
    model.compile(schedule=lambda rate, every=1: rate / 10)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.005)


def test_a_player_minimises_its_own_term_in_its_turns():
    model = Duel(5)
    model.compile()
    step = tf.function(model.train_step)
    moved = []
    for _ in range(6):
        before = [v.numpy() for v in model.trainable_variables]
        step(TrainingBatch.of(ITEMS))
        after = [v.numpy() for v in model.trainable_variables]
        moved.append(
            {
                variable.name
                for variable, old, new in zip(
                    model.trainable_variables, before, after, strict=True
                )
                if np.any(old != new)
            }
        )
    assert moved == [{"embeddings"}, {"embeddings"}, {"scale"}] * 2
    # "other" grows by 1 with the scale: twice a step of 1/4 against it.
    assert float(model.scale) == pytest.approx(0.5)


def test_turns_and_a_distribution_strategy_exclude_each_other():
    with (
        tf.distribute.MirroredStrategy(["CPU:0"]).scope(),
        pytest.raises(InputError, match="model, scale take turns"),
    ):
        Duel(5).compile()


@pytest.mark.parametrize(
    ("steps", "expected"), [(0, [1, 1, 1]), (2, [0, 0.5, 1]), (1, [0, 1, 1])]
)
def test_a_ramp_grows_with_the_steps(steps, expected):
    model = Toy(5)
    model.compile()
    seen = []
    for _ in range(3):
        seen.append(float(model.ramp(steps)))
        model.train_step(TrainingBatch.of(ITEMS))
    assert seen == expected


def test_fit_counts_the_items_once():
    model = Counting(5)
    model.compile()
    assert model.needs_adapt
    model.fit(batches(2), epochs=3, verbose=0)
    model.fit(batches(), verbose=0)
    assert model.taken == ([2, 2, 2, 4, 0],)


def test_a_model_without_a_use_for_counts_is_not_counted_for():
    model = Toy(5)
    assert not model.needs_adapt
    model.compile()
    # Without an end: counting would never return.
    model.fit(batches(-1), steps_per_epoch=2, verbose=0)
    assert int(model.steps) == 2


def test_rows_are_up_to_date_when_fit_validates_and_saves(tmp_path):
    net = vaser(loss="sampled_softmax", negatives=5)
    behind = []

    class Watch(keras.callbacks.Callback):
        def on_test_begin(self, logs=None):
            behind.append(np.ptp(net.optimizer.last_steps[0]))

    data = tf.data.Dataset.from_tensors(batch()).repeat(3)
    net.fit(data, verbose=0, shuffle=False)
    net.train_step(batch([[1, 2], [3, 4]]))
    assert np.ptp(net.optimizer.last_steps[0]) > 0
    net.save(tmp_path / "saved.keras")
    assert np.ptp(net.optimizer.last_steps[0]) == 0
    validation = EvaluationBatch.of(
        tf.constant([[1, 2]]), tf.constant([[3]]), tf.constant([[1, 2]])
    )
    net.fit(
        tf.data.Dataset.from_tensors(batch([[1, 2], [3, 4]])),
        validation_data=tf.data.Dataset.from_tensors(validation),
        callbacks=[Watch()],
        verbose=0,
        shuffle=False,
    )
    assert behind == [0]


class InEpochs(Toy):
    """Something grows over epochs, and two players take them in turns."""

    counts_steps = True

    def players(self, rate):
        vectors, sgd = self.embedding.trainable_variables, keras.optimizers.SGD
        return [
            Player("model", "loss", vectors, sgd(0.1), (0, 1), 3, True),
            Player("scale", "loss", [self.scale], sgd(0.1), (2,), 3, True),
        ]


def test_turns_and_ramps_may_be_told_in_epochs():
    model = InEpochs(5)
    model.compile(run_eagerly=True)
    assert model.needs_adapt
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, step, logs=None):
            moved = [
                bool(optimizer.iterations > before)
                for optimizer, before in zip(
                    model.optimizers.values(), self.before, strict=True
                )
            ]
            seen.append((*moved, float(model.ramp(0, epochs=2.5))))

        def on_train_batch_begin(self, step, logs=None):
            self.before = [int(o.iterations) for o in model.optimizers.values()]

    # Of a length that only reading tells.
    model.adapt(batches(2).filter(lambda batch: True))
    assert int(model.epoch_steps) == 2
    model.fit(batches(2), epochs=4, verbose=0, callbacks=[Watch()])
    first, second, ramps = zip(*seen, strict=True)
    assert first == (True,) * 4 + (False,) * 2 + (True,) * 2
    assert second == tuple(not moved for moved in first)
    np.testing.assert_allclose(ramps, np.minimum(np.arange(1, 9) / 5, 1))


def test_fit_counts_the_steps_of_an_epoch():
    model = InEpochs(5)
    model.compile(run_eagerly=True)
    model.fit(batches(3), verbose=0)
    assert not model.needs_adapt
    assert int(model.epoch_steps) == 3
