"""A model that is traced in no time, for tests of training."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tests.prepared import prepare_sequences
from tfrec.data import PreparedDataset
from tfrec.models.recommender import Recommender
from tfrec.models.registry import Entry
from tfrec.settings import Settings, setting


@dataclasses.dataclass(frozen=True)
class ToyConfig(Settings):
    """Settings of Toy."""

    max_length: int = setting(10, "Longest history.", minimum=1)
    learning_rate: float = setting(0.05, "Learning rate.", above=0.0)


class Toy(Recommender):
    """Learns one vector for each item, with noise and two optimizers."""

    config_class = ToyConfig

    def __init__(self, num_items: int, config: ToyConfig | None = None):
        super().__init__(num_items, config)
        self.embedding = keras.layers.Embedding(num_items + 1, 3)
        self.embedding.build((None, None))
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")
        self.noise_seed = keras.random.SeedGenerator()
        self.noise_dim = self.posterior_dim = 3
        self.built = True

    def compile(self, schedule=None, **kwargs):
        rate = self.config.learning_rate
        super().compile(
            optimizer=keras.optimizers.Adam(
                schedule(rate) if schedule else rate
            ),
            **kwargs,
        )
        self.scale_optimizer = keras.optimizers.SGD(1e-3)
        self.terms = {
            name: keras.metrics.Mean(name=name) for name in ("loss", "spread")
        }
        self.optimizer.build(self.embedding.trainable_variables)
        self.scale_optimizer.build([self.scale])

    def encode(self, items, training=False):
        return self.embedding(items)

    def draw(self, encoded, noise, training=False):
        return encoded if noise is None else encoded + noise

    def score(self, history):
        scores = tf.reduce_sum(self.embedding.embeddings[1:], -1)[None]
        return tf.tile(tf.nn.log_softmax(scores), [tf.shape(history)[0], 1])

    def train_step(self, batch):
        items = batch.items
        self.count_tokens(items)
        noise = keras.random.normal([1, 1, 3], seed=self.noise_seed)
        variables = self.embedding.trainable_variables
        with tf.GradientTape() as tape:
            distance = self.scale * self.draw(self.encode(items), noise) - 1.0
            each = tf.reduce_sum(tf.square(distance), [1, 2])
            loss = tf.reduce_sum(batch.weight * each)
        *gradients, scale = tape.gradient(loss, [*variables, self.scale])
        self.optimizer.apply(gradients)
        self.scale_optimizer.apply([scale])
        for name, value in (("loss", loss), ("spread", tf.norm(noise))):
            self.terms[name].update_state(value)
        return {name: metric.result() for name, metric in self.terms.items()}


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
