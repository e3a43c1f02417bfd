"""Histories as clients will ask them: those of a test, evenly spaced."""

import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tfrec.data import PreparedDataset
from tfrec.data.histories import Histories
from tfrec.errors import InputWarning

# Histories of a block that is read, where there is no test.
_BLOCK = 64


class Asked(NamedTuple):
    """One history and who asks.

    Attributes:
        items: Indices of the items, int64 `[length]`, the oldest first.
        user: Its index; 0 for nobody known.
    """

    items: np.ndarray
    user: int


def histories_of_test(data: PreparedDataset, count: int) -> list[Asked]:
    """Returns histories of a test, evenly spaced.

    The test is read in stretches, each by length: the first are short ones.

    Args:
        data: A dataset that has a test.
        count: Most of them.
    """
    return _spaced(_tested(data), data.examples("test"), count)


def held_out_histories(data: PreparedDataset, count: int) -> list[Asked]:
    """Returns the same; without a test, all that some users did."""
    if not data.protocol.no_test:
        return histories_of_test(data, count)
    histories = Histories(data)
    blocks = -(-len(histories) // _BLOCK)
    # One more, for the last may be short.
    wanted = set(_places(blocks, -(-count // _BLOCK) + 1))
    found = [
        Asked(history.items, history.user)
        for _, block in histories.blocks(_BLOCK, wanted.__contains__)
        for history in block
    ]
    return _spaced(iter(found), len(found), count)


def _tested(data: PreparedDataset) -> Iterator[Asked]:
    with warnings.catch_warnings():
        # The training said what is to be said of its test.
        warnings.simplefilter("ignore", InputWarning)
        batches = data.evaluation("test")
    for batch in batches:
        for row, user in zip(
            batch.history.numpy(), batch.user.numpy(), strict=True
        ):
            yield Asked(row[row > 0], int(user))


def _spaced(histories: Iterator[Asked], total: int, count: int) -> list[Asked]:
    wanted = set(_places(total, count))
    return [each for n, each in enumerate(histories) if n in wanted]


def _places(total: int, count: int) -> np.ndarray:
    return np.linspace(0, total - 1, min(count, total)).astype(int)
