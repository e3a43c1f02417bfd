"""Item-KNN: which items occur in the same sequences.

Sarwar, Karypis, Konstan, Riedl: Item-based collaborative filtering
recommendation algorithms (WWW'01), with the shrinkage of Hidasi et al.,
Session-based recommendations with recurrent neural networks (ICLR'16).
Deshpande and Karypis, Item-based top-N recommendation algorithms (TOIS'04),
weigh popular items by a power other than that of the cosine.
"""

from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from tfrec.layers.transition_table import LEAST_WEIGHT
from tfrec.models.base.counting import (
    CooccurrenceModel,
    Pairs,
    following,
)
from tfrec.models.base.items import distinct_array, newest, newest_of_each
from tfrec.models.configs.itemknn import ItemKNNConfig


@keras.saving.register_keras_serializable("tfrec")
class ItemKNN(CooccurrenceModel):
    """Scores items by their similarity to those of the history.

    With n_ij sequences that have both items, each counting 1 / n^p for its n
    different items, n_i those that have item i, and the shrinkage s:

        sim(i, j) = n_ij / ((n_i + s)^row_power (n_j + s)^item_power)
        score(j) = sum_a decay^a sim(x_{t-a}, j)

    over items of the history, each at its newest place, that weigh more than a
    thousandth. By default it is the cosine, shrunk, to the last item alone. An
    item is no neighbour of itself, as in the literature.
    """

    config_class = ItemKNNConfig
    config: ItemKNNConfig

    def pairs(
        self, items: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yields each unordered pair of a sequence once, and (i, i)."""
        items = distinct_array(items)
        lengths = (items > 0).sum(1)
        for distance in range(items.shape[1]):
            # A row has as many pairs as items, less the distance.
            each = np.repeat(lengths, np.maximum(lengths - distance, 0))
            yield (
                *following(items, distance),
                each ** -float(self.config.sequence_power),
            )

    def strengthen(self, pairs: Pairs) -> Pairs:
        """Turns numbers of sequences into similarities, the largest kept."""
        c = self.config
        first, second, together = pairs
        own = first == second
        sequences = np.zeros(self.num_items + 1)
        sequences[first[own]] = together[own]
        first, second, together = first[~own], second[~own], together[~own]
        norm = sequences + c.shrinkage
        first, second = (
            np.concatenate([first, second]),
            np.concatenate([second, first]),
        )
        # So that the cosine is exact, and what is equal stays so.
        squared = norm[first] ** (2 * c.row_power)
        squared *= norm[second] ** (2 * c.item_power)
        similarity = np.tile(together, 2) / np.sqrt(squared)
        # Of equals the one earlier in the vocabulary is kept.
        order = np.lexsort((second, -similarity, first))
        first = first[order]
        place = np.arange(len(first)) - np.searchsorted(first, first)
        order = order[place < c.neighbours]
        return Pairs(
            first[place < c.neighbours], second[order], similarity[order]
        )

    def vote(
        self, history: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns the items of the history, each once; see the base class."""
        decay = self.config.history_decay
        if not decay:
            return super().vote(history)
        items, ages = newest_of_each(newest(history, self.config.max_length))
        weights = decay ** tf.cast(ages, tf.float32)
        places = tf.where((items > 0) & (weights > LEAST_WEIGHT))
        return (
            places[:, 0],
            tf.gather_nd(items, places),
            tf.gather_nd(weights, places),
        )
