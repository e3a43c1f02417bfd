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
    weighs = False

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

    def shares(
        self,
        rows: tf.Tensor,
        row: tf.Tensor,
        items: tf.Tensor,
        strength: tf.Tensor,
    ) -> tf.Tensor:
        """Returns the log of each item's share of what was found for a row.

        All items that were not found share, by their popularity, half of the
        weakest strength of one that was. So they come last, and a row for
        which nothing was found has the most popular items. An item never seen
        counts as half an interaction.

        Args:
            rows: Number of rows.
            row: int `[n]`, a row.
            items: int `[n]`, an item found for it, from 1.
            strength: `[n]`, above 0. Where an item was found several times,
                they add up.

        Returns:
            float32 `[rows, num_items]`.
        """
        row, column = tf.cast(row, tf.int64), tf.cast(items, tf.int64) - 1
        # Each pair of a row and an item once: all but the last step is on the
        # few items that were found. Their sums are taken in float64, in which
        # those that are equal stay so in float32.
        pairs, which = tf.unique(row * self.num_items + column)
        row, column = pairs // self.num_items, pairs % self.num_items
        strength = tf.math.unsorted_segment_sum(
            tf.cast(strength, tf.float64), which, tf.size(pairs)
        )
        popularity = self.popularities()

        def by_row(reduce, values):
            return reduce(values, row, rows)[:, None]

        sums = tf.math.unsorted_segment_sum
        unseen = tf.reduce_sum(popularity) - by_row(
            sums, tf.gather(popularity, column)
        )
        weakest = by_row(tf.math.unsorted_segment_min, strength)
        left = tf.where(weakest < tf.float64.max, weakest / 2, 1.0)
        # Of halves and whole numbers: 0 when nothing is left, and not nearly.
        left = tf.where(unseen > 0, left, 0.0)
        total = by_row(sums, strength) + left
        share = tf.math.divide_no_nan(left, unseen * total)
        scores = tf.cast(share, tf.float32) * tf.cast(popularity, tf.float32)
        scores = tf.tensor_scatter_nd_update(
            scores,
            tf.stack([row, column], 1),
            tf.cast(strength / tf.gather(total[:, 0], row), tf.float32),
        )
        return tf.math.log(scores)
