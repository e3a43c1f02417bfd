"""`titles.tsv`: the title of each item, and more columns where there are any.

A line is the item's id, a tab, and its title. More columns may follow, each
after a tab; a first line that begins with `#` then names all columns:

    #item	title	genres
    1	Toy Story (1995)	Adventure|Animation
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tfrec.errors import InputError

FILE_NAME = "titles.tsv"
_HEAD = "#"


def read_titles(
    folder: Path,
) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Reads the file of a prepared dataset.

    Args:
        folder: Of the dataset, which may lack the file.

    Returns:
        Titles by item, and the values of the other columns by name and item.
        A column that is not named is `column 3` and so on.

    Raises:
        InputError: If a line is no UTF-8, or the file cannot be read.
    """
    path = folder / FILE_NAME
    titles: dict[str, str] = {}
    columns: dict[str, dict[str, str]] = {}
    if not path.exists():
        return titles, columns
    names: list[str] = []
    for number, line in enumerate(_lines(path)):
        item, *fields = line.split("\t")
        if number == 0 and item.startswith(_HEAD) and len(fields) > 1:
            names = fields[1:]
            continue
        titles[item] = fields[0] if fields else ""
        for place, value in enumerate(fields[1:]):
            if place == len(names):
                names.append(f"column {place + 3}")
            columns.setdefault(names[place], {})[item] = value
    return titles, columns


def _lines(path: Path) -> Iterator[str]:
    number = 0
    try:
        with open(path, "rb") as file:
            for line in file:
                number += 1
                yield line.decode().rstrip("\n")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}, line {number} must be UTF-8. Received: "
            f"{error.object[:60]!r} ({error.reason} at byte {error.start})."
        ) from error


def titles_checksum(folder: Path) -> str:
    """Returns the SHA-256 of the ids and titles of a dataset, in their order.

    Args:
        folder: Of the dataset.

    Raises:
        InputError: See `read_titles`.
    """
    digest = hashlib.sha256()
    for line in read_titles(folder)[0].items():
        digest.update("\t".join(line).encode() + b"\n")
    return digest.hexdigest()


def title_line(item: str, values: Sequence[str]) -> str:
    """Returns a line of the file; tabs and line ends become spaces."""
    cells = [re.sub(r"[\t\r\n]+", " ", value) for value in values]
    return "\t".join([item, *cells]) + "\n"
