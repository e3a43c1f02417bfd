"""EASE: embarrassingly shallow autoencoders for sparse data (WWW'19).

Steck: Embarrassingly Shallow Autoencoders for Sparse Data.
https://arxiv.org/abs/1905.03375

The paper, part by part:

    scores = x_u B, x_u the set of items of a user
        -> base/linear.py
    min_B ||X - X B||^2 + lambda ||B||^2  with diag(B) = 0
    P = (X'X + lambda I)^-1,  B = I - P diag(1 / diag(P))
        -> base/least_squares.py, with a bound of 0 on the diagonal

A bound of at most 0 is the constraint of exactly 0: without it the diagonal
would be 1 - lambda P_jj, which is never below 0. Repeated items count once. A
history without a known item has the most popular ones.
"""

import keras
import numpy as np
import tensorflow as tf

from tfrec.models.base.items import distinct
from tfrec.models.base.least_squares import LeastSquares
from tfrec.models.base.linear import LinearModel, add_sets
from tfrec.models.configs.ease import EASEConfig


@keras.saving.register_keras_serializable("tfrec")
class EASE(LinearModel):
    """Items explain each other; none explains itself.

    Args:
        num_items: Number of items in the vocabulary.
        config: Settings.
        num_users: Not used.
    """

    config_class = EASEConfig
    config: EASEConfig

    def collect(
        self, items: np.ndarray, weight: np.ndarray, equations: LeastSquares
    ) -> None:
        """See base class: each sequence is a set."""
        add_sets(equations, items, weight)

    def read_last(self, history: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See base class: each item of the set counts 1."""
        items = distinct(history)
        return items, tf.ones_like(items, tf.float32)
