"""A model that is traced in no time, for tests of training."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tests.prepared import last_two_out, prepare_sequences
from tfrec.data import PreparedDataset
from tfrec.models.base.learned import Learned, Player
from tfrec.models.base.recommender import Recommender
from tfrec.models.configs.next_item import LearnedConfig
from tfrec.models.registry import Entry


@dataclasses.dataclass(frozen=True)
class ToyConfig(LearnedConfig):
    """Settings of Toy."""

    max_length: int = 10
    learning_rate: float = 0.05


class Toy(Learned):
    """Learns one vector for each item, with noise and two players."""

    config_class = ToyConfig
    terms = ("loss", "spread")
    # Dimensions of its vectors that count as drawn.
    drawn_dim = 3

    def __init__(self, num_items, config=None, num_users=0):
        super().__init__(num_items, config, num_users)
        self.embedding = self.make_embedding()
        self.embedding.build((None, None))
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")
        self.noise_seed = keras.random.SeedGenerator()
        self.built = True

    def make_embedding(self):
        return keras.layers.Embedding(self.num_items + 1, 3)

    def players(self, rate):
        adamw = self.adamw(rate(self.config.learning_rate))
        sgd = keras.optimizers.SGD(1e-3)
        vectors = self.embedding.trainable_variables
        return [
            Player("model", "loss", vectors, adamw),
            Player("scale", "loss", [self.scale], sgd),
        ]

    def objective(self, batch, training=True):
        noise = keras.random.normal([1, 1, 3], seed=self.noise_seed)
        distance = self.scale * (self.embedding(batch.items) + noise) - 1.0
        each = tf.reduce_sum(tf.square(distance), [1, 2])
        return {
            "loss": tf.reduce_sum(batch.weight * each),
            "spread": tf.reduce_sum(batch.weight) * tf.norm(noise),
        }

    def score(self, query):
        scores = tf.reduce_sum(self.embedding.embeddings[1:], -1)[None]
        rows = tf.shape(query.history)[0]
        return tf.tile(tf.nn.log_softmax(scores), [rows, 1])

    def item_vectors(self):
        return {"items_read": self.embedding.embeddings[1:]}

    def latent(self):
        return self

    def posterior_draws(self, query, seed):
        vectors = self.embedding(query.history)[..., : self.drawn_dim]
        noise = tf.random.stateless_normal(tf.shape(vectors), seed)
        valid = query.history > 0
        return tuple(
            tf.boolean_mask(x, valid) for x in (vectors + noise, vectors)
        )


def entry(model_class: type[Recommender], name: str = "toy") -> Entry:
    """Returns the entry of the registry for a model that a test defines."""

    class Defined(Entry):
        config_class = model_class.config_class

    Defined.model_class = model_class
    return Defined(name, model_class.__name__, "", "")


def toy_data(folder: Path, users: int = 23, seed: int = 0) -> PreparedDataset:
    """Prepares random sequences of 12 items; 4 steps of 6 in an epoch."""
    rng = np.random.default_rng(seed)
    rows = [rng.integers(1, 13, n).tolist() for n in rng.integers(5, 12, users)]
    return prepare_sequences(
        folder,
        **last_two_out(rows),
        num_items=12,
    )
