"""Item-KNN: which items occur in the same sessions.

Sarwar, Karypis, Konstan, Riedl: Item-based collaborative filtering
recommendation algorithms (WWW'01), with the shrinkage of Hidasi et al.,
Session-based recommendations with recurrent neural networks (ICLR'16).
"""

from collections.abc import Iterator

import keras
import numpy as np

from tfrec.models.base.counting import (
    CooccurrenceModel,
    Pairs,
    following,
)
from tfrec.models.base.items import distinct_array
from tfrec.models.configs.itemknn import ItemKNNConfig


@keras.saving.register_keras_serializable("tfrec")
class ItemKNN(CooccurrenceModel):
    """Scores items by their similarity to the last one, over sessions.

    With n_ij sessions that have both items, n_i that have item i, and the
    shrinkage s: sim(i, j) = n_ij / sqrt((n_i + s) (n_j + s)), the cosine for
    s = 0. An item is no neighbour of itself, as in the literature.
    """

    config_class = ItemKNNConfig

    def pairs(
        self, items: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
        """Yields each unordered pair of a session once, and (i, i)."""
        items = distinct_array(items)
        for distance in range(items.shape[1]):
            yield *following(items, distance), 1.0

    def strengthen(self, pairs: Pairs) -> Pairs:
        """Turns numbers of sessions into similarities, the largest kept."""
        first, second, together = pairs
        own = first == second
        sessions = np.zeros(self.num_items + 1)
        sessions[first[own]] = together[own]
        first, second, together = first[~own], second[~own], together[~own]
        norm = sessions + self.config.shrinkage
        similarity = together / np.sqrt(norm[first] * norm[second])

        first, second = (
            np.concatenate([first, second]),
            np.concatenate([second, first]),
        )
        similarity = np.tile(similarity, 2)
        # Of equals the one earlier in the vocabulary is kept.
        order = np.lexsort((second, -similarity, first))
        first = first[order]
        place = np.arange(len(first)) - np.searchsorted(first, first)
        order = order[place < self.config.neighbours]
        return Pairs(
            first[place < self.config.neighbours],
            second[order],
            similarity[order],
        )
