"""Vocabularies: which item, and which user, has which index."""

import functools
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from tfrec.errors import InputError

FILE_NAME = "items.txt"
USERS = "users.txt"
# What to do with a prepared dataset that is damaged.
REMEDY = (
    "Delete the folder and prepare the dataset again "
    "(`python -m tfrec.prepare`)."
)


class Vocabulary:
    """The items, or the users, of a prepared dataset, by index.

    The item with index n stands in line n of `items.txt`, in the order of
    first appearance, sequence by sequence in time; index 0 is padding. The
    user with index n stands in line n of `users.txt`, in the order of the
    training records; index 0 is a user that training did not know.

    Args:
        items: Distinct, non-empty ids; the first one gets index 1.
    """

    def __init__(self, items: Sequence[str]):
        self.items = list(items)

    @classmethod
    def load(cls, folder: Path, name: str = FILE_NAME) -> "Vocabulary":
        """Reads a file of a prepared dataset.

        Args:
            folder: Where it is.
            name: Which: `FILE_NAME` of the items, or `USERS`.

        Raises:
            InputError: If it is absent or damaged.
        """
        path = Path(folder) / name
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
    def write(
        folder: Path, items: Iterable[str], name: str = FILE_NAME
    ) -> None:
        """Appends a stream of ids to a file, in the order of index."""
        with open(Path(folder) / name, "ab") as file:
            file.writelines(item.encode() + b"\n" for item in items)

    @property
    def size(self) -> int:
        """Number of ids; the largest index."""
        return len(self.items)

    @functools.cached_property
    def checksum(self) -> str:
        """SHA-256 of the file, 64 hexadecimal digits."""
        digest = hashlib.sha256()
        for item in self.items:
            digest.update(item.encode() + b"\n")
        return digest.hexdigest()

    @functools.cached_property
    def _indices(self) -> dict[str, int]:
        return {item: index for index, item in enumerate(self.items, 1)}

    def index(self, items: Iterable[str]) -> np.ndarray:
        """Returns the index of each id, int32, 0 where it is unknown."""
        indices = [self._indices.get(item, 0) for item in items]
        return np.array(indices, np.int32)

    def lookup(self, indices: Iterable[int]) -> list[str]:
        """Returns the id of each index, "" for 0.

        Raises:
            IndexError: If an index is negative or above `size`.
        """
        found = []
        for index in indices:
            if not 0 <= index <= self.size:
                raise IndexError(
                    f"An index is in 0..{self.size}. Received: {index}."
                )
            found.append(self.items[index - 1] if index else "")
        return found
