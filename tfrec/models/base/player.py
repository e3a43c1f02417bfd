"""Who takes part in the training of a model."""

import itertools
from typing import NamedTuple

import keras


class Player(NamedTuple):
    """One side of the game that training is.

    Most models have one player, who minimises "loss" by all variables. An
    adversary is a second, with a term of its own.

    Attributes:
        name: What it is called in `compile` and in TensorBoard.
        term: The term of the objective that it minimises.
        variables: What it moves. No two players share a variable.
        optimizer: How.
        turns: It moves in the steps s with s mod `cycle` in `turns`.
        cycle: Steps after which turns repeat.
        by_epoch: Whether turns are epochs instead of steps. The model then
            needs `counts_steps`.
    """

    name: str
    term: str
    variables: list[keras.Variable]
    optimizer: keras.optimizers.Optimizer
    turns: tuple[int, ...] = (0,)
    cycle: int = 1
    by_epoch: bool = False


def in_turns(*lengths: int) -> tuple[list[tuple[int, ...]], int]:
    """Returns turns one after the other, and their cycle.

    Args:
        *lengths: How long each player moves.

    Example:

        in_turns(3, 1)  # [(0, 1, 2), (3,)], 4
    """
    ends = list(itertools.accumulate(lengths))
    return [
        tuple(range(end - length, end))
        for length, end in zip(lengths, ends, strict=True)
    ], ends[-1]
