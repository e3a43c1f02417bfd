"""Code in docs/adding_a_model.md is that of the files, and the sketches run."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrec.batches import Query, TrainingBatch
from tfrec.layers.item_embedding import ItemEmbedding
from tfrec.layers.item_logits import ItemLogits
from tfrec.layers.losses import multinomial_loss
from tfrec.layers.user_embedding import UserEmbedding
from tfrec.models.base.items import newest
from tfrec.models.base.learned import Learned, Player
from tfrec.models.base.next_item import NextItem
from tfrec.models.configs.next_item import LearnedConfig, NextItemConfig
from tfrec.shapes import Positions

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/adding_a_model.md").read_text()
QUOTES = re.findall(r"^```python (\S+)\n(.*?)^```$", PAGE, re.M | re.S)
NAMES = {
    thing.__name__: thing
    for thing in (
        Learned,
        NextItem,
        Player,
        multinomial_loss,
        newest,
    )
} | {"keras": keras, "tf": tf}


@pytest.fixture
def sketches():
    names = dict(NAMES)
    for code in re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S):
        exec(code, names)
    return names


def batch() -> TrainingBatch:
    items = tf.constant([[1, 2, 3, 4], [5, 6, 7, 0]])
    return TrainingBatch.of(items)._replace(user=tf.constant([1, 2]))


def learns(model) -> bool:
    """Returns whether steps on one batch lower its loss."""
    model.compile()
    before = model.objective(batch(), training=False)["loss"]
    for _ in range(20):
        model.train_step(batch())
    return model.objective(batch(), training=False)["loss"] < before


def test_quoted_code_is_in_its_file():
    assert len(QUOTES) == 4
    for place, code in QUOTES:
        assert code in (ROOT / place).read_text(), code


def test_a_model_that_needs_its_user_learns(sketches):
    class Known(sketches["UserAndLast"]):
        config_class = NextItemConfig

        def __init__(self, num_items, config=None, num_users=0):
            super().__init__(num_items, config, num_users)
            dim = self.config.embedding_dim
            self.make_embedding()
            self.users = UserEmbedding(num_users, dim)
            self.users.build((None,))
            self.make_head()
            self.item_logits.build((None, dim))
            self.built = True

    model = Known(9, num_users=2)
    assert learns(model)
    history = tf.constant([[1, 2], [1, 2], [1, 2]])
    scores = model.score(Query.of(history, tf.constant([1, 2, 0]))).numpy()
    assert np.abs(scores[0] - scores[1]).max() > 1e-6
    one = model.users.embeddings[1:2]
    model.users.embeddings.assign(tf.concat([one + 9.0, one, one], 0))
    known, _, unknown = model.score(
        Query.of(history, tf.constant([1, 2, 0]))
    ).numpy()
    # The mean of two equal users; what is in row 0 does not matter.
    np.testing.assert_allclose(unknown, known, rtol=1e-5)
    assert np.isfinite(scores[2]).all()


def test_a_set_model_learns(sketches):
    class Bag(sketches["SetModel"]):
        config_class = LearnedConfig

        def __init__(self, num_items):
            super().__init__(num_items)
            self.embedding = ItemEmbedding(num_items, 8)
            self.embedding.build((None, None))
            self.item_logits = ItemLogits(num_items)
            self.item_logits.build((None, 8))
            self.built = True

        def read(self, items):
            there = tf.cast(items > 0, tf.float32)[..., None]
            return tf.tanh(tf.reduce_sum(there * self.embedding(items), 1))

    model = Bag(9)
    assert learns(model)
    scores = model.score(Query.of([[2, 1, 0]]))
    np.testing.assert_allclose(np.exp(scores).sum(), 1.0, rtol=1e-5)


def test_two_players_move_their_own_variables(sketches):
    class Sorted(sketches["TwoPlayers"]):
        config_class = NextItemConfig
        terms = ("loss", "sorter_loss")

        def __init__(self, num_items):
            super().__init__(num_items)
            dim = self.config.embedding_dim
            self.make_embedding()
            self.sorter = keras.layers.Dense(1)
            self.sorter.build((None, dim))
            self.make_head()
            self.item_logits.build((None, dim))
            self.built = True

        def states(self, query, training=False):
            return self.embed(query.history, training)

        def objective(self, batch, training=True):
            positions = Positions.where(batch.targets > 0, batch.weight)
            states = positions.read(self.states(batch.query, training))
            logits = tf.squeeze(self.sorter(tf.stop_gradient(states)), -1)
            own = positions.sum(tf.square(logits - 1.0))
            return super().objective(batch, training) | {"sorter_loss": own}

    model = Sorted(9)
    assert learns(model)
    assert set(model.optimizers) == {"model", "sorter"}
    assert int(model.optimizers["sorter"].iterations) == 20
