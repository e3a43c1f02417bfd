"""The vocabulary: which item has which index."""

import functools
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from tfrec.errors import InputError

FILE_NAME = "items.txt"


class Vocabulary:
    """The items of a prepared dataset, by index.

    Index 0 is padding; the item with index n stands in line n of `items.txt`.
    The order is that of first appearance, sequence by sequence in time.

    Args:
        items: Distinct, non-empty ids; the first one gets index 1.
    """

    def __init__(self, items: Sequence[str]):
        self.items = list(items)

    @classmethod
    def load(cls, folder: Path) -> "Vocabulary":
        """Reads `items.txt` of a prepared dataset.

        Raises:
            InputError: If it is absent or damaged.
        """
        path = Path(folder) / FILE_NAME
        try:
            # Only "\n" ends an id: others of Unicode's line ends may be in it.
            text = path.read_bytes().decode()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"{path} cannot be read: {error}. Prepare the dataset again."
            ) from error
        items = text.split("\n")
        whole = items.pop() == ""
        if not whole or "" in items or len(set(items)) != len(items):
            raise InputError(
                f"{path} is damaged: an id is cut short, empty or there twice. "
                "Prepare the dataset again."
            )
        return cls(items)

    @staticmethod
    def write(folder: Path, items: Iterable[str]) -> None:
        """Writes `items.txt` from a stream of ids, in the order of index."""
        with open(Path(folder) / FILE_NAME, "wb") as file:
            file.writelines(item.encode() + b"\n" for item in items)

    @property
    def size(self) -> int:
        """Number of items; the largest index."""
        return len(self.items)

    @functools.cached_property
    def checksum(self) -> str:
        """SHA-256 of `items.txt`, 64 hexadecimal digits."""
        digest = hashlib.sha256()
        for item in self.items:
            digest.update(item.encode() + b"\n")
        return digest.hexdigest()

    @functools.cached_property
    def _indices(self) -> dict[str, int]:
        return {item: index for index, item in enumerate(self.items, 1)}

    def index(self, items: Iterable[str]) -> np.ndarray:
        """Returns the index of each item, int32, 0 where it is unknown."""
        indices = [self._indices.get(item, 0) for item in items]
        return np.array(indices, np.int32)

    def lookup(self, indices: Iterable[int]) -> list[str]:
        """Returns the item of each index, "" for 0.

        Raises:
            IndexError: If an index is negative or above `size`.
        """
        found = []
        for index in indices:
            if not 0 <= index <= self.size:
                raise IndexError(
                    f"An item's index is in 0..{self.size}. Received: {index}."
                )
            found.append(self.items[index - 1] if index else "")
        return found
