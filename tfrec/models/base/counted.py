"""The base of every model that counts instead of being trained."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfrec.batches import TrainingBatch
from tfrec.models.base.recommender import Recommender
from tfrec.models.configs.cooccurrence import CooccurrenceConfig


class Counted(Recommender):
    """A model that learns all it knows in `adapt`.

    What it makes of the sequences may have any size, which a training step,
    that can only change weights of a known shape, could not give it. An epoch
    of `fit` has nothing left to learn; it brings what runs of every model
    have, checkpoints and validation. A subclass implements `adapt`, which
    reads the sequences by `read`, and `score`.

    Args:
        num_items: Number of items in the vocabulary.
        config: Settings.
        num_users: Not used.

    Attributes:
        popularity: int64 `[num_items]`, interactions with each item.
    """

    config_class = CooccurrenceConfig
    one_pass = True

    def __init__(
        self,
        num_items: int,
        config: CooccurrenceConfig | None = None,
        num_users: int = 0,
    ):
        super().__init__(num_items, config, num_users)
        self.popularity = self._counts(num_items, "popularity")

    def _counts(self, size: int, name: str) -> Any:
        """Makes whole numbers of a known size, `[size]`, zero at first."""
        return self.add_weight(
            shape=(size,),
            initializer="zeros",
            dtype="int64",
            trainable=False,
            name=name,
        )

    def _table(self, dtype: tf.DType, name: str) -> tf.Variable:
        """Makes a list of unknown size, empty at first; see `tables`."""
        return tf.Variable(
            tf.zeros([0], dtype), shape=[None], trainable=False, name=name
        )

    @property
    def needs_adapt(self) -> bool:
        """See base class."""
        return not bool(tf.reduce_any(self.popularity > 0))

    def read(self, batches: tf.data.Dataset) -> Iterator[TrainingBatch]:
        """Yields each batch, as arrays, and then sets `popularity`.

        Args:
            batches: One epoch of training batches.
        """
        popularity = np.zeros(self.num_items + 1, np.int64)
        for batch in batches.as_numpy_iterator():
            np.add.at(popularity, batch.items, 1)
            yield batch
        self.popularity.assign(popularity[1:])

    def train_step(self, batch: TrainingBatch) -> dict[str, tf.Tensor]:
        """Learns nothing: `adapt` has counted.

        Returns:
            `interactions`, the number that was read.
        """
        self.count_tokens(batch)
        return {"interactions": tf.reduce_sum(self.popularity)}

    def popularities(self) -> tf.Tensor:
        """Returns each item's interactions, float64; half of one for none."""
        return tf.maximum(tf.cast(self.popularity, tf.float64), 0.5)

    def count_params(self) -> int:
        """Returns the number of all counts, those of the tables included."""
        sizes = [int(tf.size(table)) for table in self.tables.values()]
        return super().count_params() + sum(sizes)

    def save_own_variables(self, store: dict[str, Any]) -> None:
        """Adds the tables to what `save_weights` saves."""
        super().save_own_variables(store)
        for name, table in self.tables.items():
            store[name] = table.numpy()

    def load_own_variables(self, store: dict[str, Any]) -> None:
        """Reads what `save_own_variables` saved."""
        weights = {k: store[k] for k in store.keys() - self.tables.keys()}
        super().load_own_variables(weights)
        for name, table in self.tables.items():
            table.assign(store[name][...])
