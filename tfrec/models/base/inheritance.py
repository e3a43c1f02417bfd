"""The weights of one model for another one, whose vocabulary is another."""

from collections.abc import Mapping
from typing import Protocol

import keras
import numpy as np

from tfrec.errors import InputError
from tfrec.layers.rows import Match, declared_rows, moved
from tfrec.models.base.recommender import Recommender


class Saved(Protocol):
    """The weights of a model of the same kind, by the weight here."""

    def shape(self, variable: keras.Variable) -> list[int] | None:
        """Returns the shape of a weight there; None if there is none."""

    def read(self, variable: keras.Variable) -> np.ndarray:
        """Returns a weight there."""

    def left_over(self) -> list[str]:
        """Returns the names of weights there that this model has not."""


def used(model: Recommender, matches: Mapping[str, Match]) -> dict[str, Match]:
    """Returns the matches of what the model has rows for.

    Args:
        model: A model that is built.
        matches: By what rows stand for, `ITEMS` or `USERS`.
    """
    rows = [declared_rows(variable) for variable in model.inherited]
    there = {each.of for each in rows if each}
    return {of: match for of, match in matches.items() if of in there}


def inherit(
    model: Recommender, saved: Saved, matches: Mapping[str, Match]
) -> None:
    """Gives a model all that another one has learned.

    Optimizers start anew, and what is counted, as popularity and memories
    are, stays as `adapt` counted it.

    Args:
        model: A model that is built, after `adapt`.
        saved: The weights of the other one.
        matches: Where items and users of this one stood there.

    Raises:
        InputError: If a weight has another size there, naming both, or there
            are weights that only one of the models has.
    """
    for variable in model.inherited:
        expected = list(variable.shape)
        rows = declared_rows(variable)
        if rows:
            expected[0] = rows.before + matches[rows.of].size + rows.after
        found = saved.shape(variable)
        if found != expected:
            there = "is not there" if found is None else f"is {found} there"
            raise InputError(
                f"the weight {variable.path} {there} and {expected} here"
            )
    if names := saved.left_over():
        raise InputError(f"the weight {names[0]} is there and not here")
    for variable in model.inherited:
        rows = declared_rows(variable)
        values = saved.read(variable)
        if rows:
            values = moved(values, rows, matches[rows.of])
        variable.assign(values)
    model.continue_steps(saved.read)
