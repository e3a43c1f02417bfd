"""A model that is traced in no time, for tests of training."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tests.prepared import prepare_sequences
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
    config: ToyConfig

    def __init__(
        self,
        num_items: int,
        config: ToyConfig | None = None,
        num_users: int = 0,
    ):
        super().__init__(num_items, config, num_users)
        self.embedding = keras.layers.Embedding(num_items + 1, 3)
        self.embedding.build((None, None))
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")
        self.noise_seed = keras.random.SeedGenerator()
        self.drawn_dim = 3
        self.built = True

    @property
    def terms(self):
        return "loss", "spread"

    def objective(self, batch, training=True):
        noise = keras.random.normal([1, 1, 3], seed=self.noise_seed)
        distance = self.scale * self.draw(batch.items, noise) - 1.0
        each = tf.reduce_sum(tf.square(distance), [1, 2])
        return {
            "loss": tf.reduce_sum(batch.weight * each),
            "spread": tf.reduce_sum(batch.weight) * tf.norm(noise),
        }

    def players(self, rate):
        vectors = self.embedding.trainable_variables
        adamw = self.adamw(rate(self.config.learning_rate))
        return [
            Player("model", "loss", vectors, adamw),
            Player("scale", "loss", [self.scale], keras.optimizers.SGD(1e-3)),
        ]

    def score(self, query):
        scores = tf.reduce_sum(self.embedding.embeddings[1:], -1)[None]
        rows = tf.shape(query.history)[0]
        return tf.tile(tf.nn.log_softmax(scores), [rows, 1])

    # Its latent is the vector of the last item, with noise.

    def latent(self):
        return self

    def draw(self, items, noise):
        vectors = self.embedding(items)
        return vectors if noise is None else vectors + noise

    def _last(self, query):
        ends = tf.math.count_nonzero(query.history, 1, dtype=tf.int32)
        history = tf.pad(query.history, [[0, 0], [1, 0]])
        return tf.gather(history, ends, batch_dims=1)

    def encode(self, query):
        return self.draw(self._last(query), None)

    def sample(self, query, seeds):
        noise = tf.map_fn(
            lambda seed: tf.random.stateless_normal([3], seed),
            seeds,
            fn_output_signature=tf.float32,
        )
        return self.draw(self._last(query), noise)

    def decode(self, latent, query):
        return self.score(query) + 0.0 * tf.reduce_sum(latent, 1, keepdims=True)

    def posterior_draws(self, query, seed):
        shape = [*tf.unstack(tf.shape(query.history)), 3]
        noise = tf.random.stateless_normal(shape, seed)

        def draw(noise):
            drawn = self.draw(query.history, noise)[..., : self.drawn_dim]
            return tf.boolean_mask(drawn, query.history > 0)

        return draw(noise), draw(None)


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
        train=[row[:-2] for row in rows],
        tails=[row[-2:-1] for row in rows],
        validation=[(row[:-2], row[-2:-1]) for row in rows],
        test=[(row[:-1], row[-1:]) for row in rows],
        num_items=12,
    )
