"""Rules: which item comes soon after which.

Ludewig, Jannach: Evaluation of Session-based Recommendation Algorithms (2018),
sequential rules. https://arxiv.org/abs/1803.09587
"""

from collections.abc import Iterator

import keras
import numpy as np

from tfrec.models.base.counting import (
    CooccurrenceModel,
    following,
)
from tfrec.models.configs.rules import RulesConfig


@keras.saving.register_keras_serializable("tfrec")
class Rules(CooccurrenceModel):
    """Sequential rules: a pair of items d steps apart counts 1 / d.

    All rules are kept; the paper's code keeps the 20 strongest of an item.
    """

    config_class = RulesConfig

    @property
    def voters(self) -> int:
        """See base class."""
        c = self.config
        return c.max_distance if c.every_item_votes else 1

    def pairs(
        self, items: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
        """See base class."""
        furthest = min(self.config.max_distance, items.shape[1] - 1)
        for distance in range(1, furthest + 1):
            earlier, later = following(items, distance)
            if self.config.every_item_votes:
                table = (distance - 1) * (self.num_items + 1)
                earlier = earlier.astype(np.int64) + table
            yield earlier, later, 1 / distance
