"""What every source of lists is: a run, or an export."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from tfrec.data import PreparedDataset
from tfrec.data.histories import History
from tfrec.serving.servable import rows_at_once


class Listed(NamedTuple):
    """A list: ids of items, the best first, and their log-probabilities."""

    items: list[str]
    scores: list[float]


class Source(Protocol):
    """Makes lists.

    Attributes:
        data: The dataset of the users.
        identity: What decides its answers, as JSON can hold it.
    """

    data: PreparedDataset
    identity: dict[str, Any]

    def best(self, histories: Sequence[History]) -> list[Listed]:
        """Returns the list of each history, of `k` items or what there are."""


def batches(
    histories: Sequence[History], num_items: int
) -> Iterator[list[int]]:
    """Yields the rows of batches of like length, which fit into memory."""
    at_once = rows_at_once(num_items)
    lengths = [len(history.items) for history in histories]
    order = np.argsort(lengths, kind="stable").tolist()
    for start in range(0, len(order), at_once):
        yield order[start : start + at_once]
