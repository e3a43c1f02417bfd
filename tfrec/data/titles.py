"""`titles.tsv`: the title of each item, and more columns where there are any.

A line is the item's id, a tab, and its title. More columns may follow, each
after a tab; a first line that begins with `#` then names all columns:

    #item	title	genres
    1	Toy Story (1995)	Adventure|Animation
"""

import re
from collections.abc import Sequence
from pathlib import Path

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
    """
    names: list[str] = []
    columns: list[dict[str, str]] = [{}]
    with open(path, encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file):
            item, *fields = line.rstrip("\n").split("\t")
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


def title_line(item: str, values: Sequence[str]) -> str:
    """Returns a line of the file; tabs and line ends become spaces."""
    cells = [re.sub(r"[\t\r\n]+", " ", value) for value in values]
    return "\t".join([item, *cells]) + "\n"
