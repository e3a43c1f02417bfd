"""What the rows of weights stand for, and how another vocabulary has them.

A weight with a row for each item, or for each user, says so where it is made.
So the weights of one model can be given to another one, whose vocabulary has
other items in another order, and nothing is guessed from sizes.
"""

from typing import NamedTuple

import keras
import numpy as np

ITEMS, USERS = "items", "users"


class Rows(NamedTuple):
    """What the rows of a weight, its first axis, stand for.

    Attributes:
        of: `ITEMS` or `USERS`, one row for each, in the vocabulary's order.
        before: Rows before the first of them: padding, the unknown user.
        after: Rows behind the last of them: reserved ones, a mask token.
    """

    of: str
    before: int = 0
    after: int = 0


class Match(NamedTuple):
    """Where the entries of a vocabulary stand in an older one.

    Attributes:
        places: int64 `[n]`, the place of each in the older one, from 0; -1 of
            one that is new.
        size: Size of the older one.
    """

    places: np.ndarray
    size: int

    @property
    def kept(self) -> int:
        """Number of entries that both have."""
        return int((self.places >= 0).sum())

    @property
    def new(self) -> int:
        """Number of entries that the older one lacks."""
        return len(self.places) - self.kept

    @property
    def gone(self) -> int:
        """Number of entries that only the older one has."""
        return self.size - self.kept


def declare_rows(variable: keras.Variable, rows: Rows | None) -> keras.Variable:
    """Says what the rows of a weight stand for; returns the weight."""
    variable.stands_for = rows
    return variable


def declared_rows(variable: keras.Variable) -> Rows | None:
    """Returns what `declare_rows` said of a weight; None if it said nothing."""
    return getattr(variable, "stands_for", None)


def moved(values: np.ndarray, rows: Rows, match: Match) -> np.ndarray:
    """Returns an older weight with the rows of another vocabulary.

    What both vocabularies have keeps its row, what is gone loses it, and what
    is new starts at the mean of the rows that are kept: of all the older ones,
    where none is. Rows before and after these stay as they are.

    Args:
        values: `[before + match.size + after, ...]`.
        rows: What its rows stand for.
        match: Where the vocabulary's entries stood.
    """
    end = rows.before + match.size
    older = values[rows.before : end]
    known = match.places >= 0
    # What is new reads the last row for now.
    newer = older[match.places]
    if not known.all():
        shared = newer[known] if known.any() else older
        newer[~known] = shared.mean(0, dtype=np.float64)
    return np.concatenate([values[: rows.before], newer, values[end:]])
