"""Markov: which item comes right after which, the baseline of sessions."""

from collections.abc import Iterator

import keras
import numpy as np

from tfrec.models.base.counting import (
    CooccurrenceModel,
    following,
)
from tfrec.models.configs.markov import MarkovConfig


@keras.saving.register_keras_serializable("tfrec")
class Markov(CooccurrenceModel):
    """First-order Markov chain: counts the pairs of an item and the next.

    Repeated clicks count: that an item follows itself is a pair like any.
    """

    config_class = MarkovConfig

    def pairs(
        self, items: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
        """See base class."""
        yield *following(items, 1), 1.0
