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
    if not path.exists():
        return {}, {}
    titles, *others = read_columns(path).items()
    return titles[1], dict(others)


def read_columns(path: Path, headed: bool = False) -> dict[str, dict[str, str]]:
    """Reads any file of this layout.

    Args:
        path: The file.
        headed: Whether its first line names the columns in any case.

    Returns:
        The values of each column after that of the items, by name and item;
        one column at least. A line may lack the last ones. A column that is
        not named is `column 2` and so on.

    Raises:
        InputError: See `read_titles`.
    """
    names: list[str] = []
    columns: list[dict[str, str]] = [{}]
    for number, line in enumerate(_lines(path)):
        item, *fields = line.split("\t")
        head = item.startswith(_HEAD) and len(fields) > 1
        if number == 0 and (head or headed):
            names = fields
            continue
        columns[0][item] = ""
        columns += [{} for _ in fields[len(columns) :]]
        for column, value in zip(columns, fields, strict=False):
            column[item] = value
    names += [f"column {n + 2}" for n in range(len(names), len(columns))]
    return dict(zip(names, columns, strict=False))


def _lines(path: Path) -> Iterator[str]:
    number = 0
    try:
        with open(path, "rb") as file:
            for line in file:
                number += 1
                # As Windows ends it, and begins the file.
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                yield text.rstrip("\n").removesuffix("\r")
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
