"""Scores that are no numbers, as of a training that diverged."""

import numpy as np

from tfrec.errors import InputError


def check_finite(*scores: np.ndarray) -> None:
    """Checks scores, or what they are made of.

    Raises:
        InputError: If one is infinite or no number.
    """
    if not all(np.isfinite(each).all() for each in scores):
        raise InputError(
            "The model gives scores that are not finite; no answer could hold "
            "them. Train it again, with a lower learning rate where it has one."
        )
