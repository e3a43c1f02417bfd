"""Which items may be in a list, and how many of them from one group."""

import dataclasses
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tfrec.data import PreparedDataset
from tfrec.data.titles import FILE_NAME, read_columns
from tfrec.errors import InputError, nearest_names
from tfrec.lists.config import SourceConfig

# Between the values of an item with several: "Adventure|Animation".
_SEPARATOR = "|"

# The groups of an item: a number for each, and the most items that a list has
# of it.
Groups = tuple[tuple[int, int], ...]


def read_ids(path: str | Path, flag: str) -> dict[str, int]:
    """Reads a file with an id in each line; empty lines are skipped.

    Args:
        path: The file, in UTF-8.
        flag: What names it, for the message.

    Returns:
        The number of the line of each id, from 1, in the order of the file.

    Raises:
        InputError: If it cannot be read or has no id.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"`{flag}` must be a file of ids, in UTF-8: {path} cannot be read "
            f"({error})."
        ) from error
    lines: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        # As Windows ends it.
        name = line.removesuffix("\r")
        if name:
            lines.setdefault(name, number)
    if not lines:
        raise InputError(
            f"`{flag}` must have an id in each line. Received: {path}, which "
            "is empty."
        )
    return lines


def refuse_unknown(
    lines: dict[str, int], unknown: Iterable[str], path: str, where: str
) -> None:
    """Raises `InputError` if an id of a file is not known.

    Args:
        lines: What `read_ids` returned.
        unknown: The ids that are not known, in the order of the file.
        path: The file.
        where: What does not have them.
    """
    unknown = list(unknown)
    if not unknown:
        return
    rest = f", and {len(unknown) - 1:,} more" if unknown[1:] else ""
    raise InputError(
        f"{path}, line {lines[unknown[0]]}: {unknown[0]!r} is not in {where}"
        f"{rest}. Remove what is not known."
    )


@dataclasses.dataclass(frozen=True)
class Candidates:
    """What a list may hold.

    Attributes:
        columns: int32 `[n]`, the items from 0 that it may, rising; None: all.
        groups: The groups of each item, from item 0 on; None: no limits.
    """

    columns: np.ndarray | None = None
    groups: tuple[Groups, ...] | None = None

    def pick(self, columns: np.ndarray, k: int) -> list[int]:
        """Picks the best items that the limits let in.

        From the best on, an item is taken unless one of its groups is full.
        Where one column is limited, and an item has one value of it, no other
        list within the limits has better scores.

        Args:
            columns: Items from 0, the best first.
            k: The most to pick.

        Returns:
            Places in `columns`.
        """
        if self.groups is None:
            return list(range(min(k, len(columns))))
        picked: list[int] = []
        full: Counter[int] = Counter()
        for place, column in enumerate(columns.tolist()):
            groups = self.groups[column]
            if all(full[group] < most for group, most in groups):
                picked.append(place)
                if len(picked) == k:
                    break
                full.update(group for group, _ in groups)
        return picked


def read_candidates(config: SourceConfig, data: PreparedDataset) -> Candidates:
    """Reads the files of the candidates.

    Raises:
        InputError: If one cannot be read, names an item that is not in the
            dataset, or leaves nothing to recommend; or there is no such
            column.
    """
    allowed = np.ones(data.num_items, bool)
    if config.allow:
        allowed[:] = False
        allowed[_columns(config.allow, "--allow", data)] = True
    if config.deny:
        allowed[_columns(config.deny, "--deny", data)] = False
    if not allowed.any():
        raise InputError(
            "`--deny` must leave an item to recommend. Received: "
            f"{config.deny}, which has all that may be."
        )
    columns = None
    if not allowed.all():
        columns = np.flatnonzero(allowed).astype(np.int32)
    return Candidates(columns, _read_groups(config, data))


def _columns(path: str, flag: str, data: PreparedDataset) -> np.ndarray:
    lines = read_ids(path, flag)
    indices = data.vocabulary.index(lines)
    unknown = [
        item for item, index in zip(lines, indices, strict=True) if not index
    ]
    refuse_unknown(lines, unknown, path, str(data.data_dir))
    return indices - 1


def _read_groups(
    config: SourceConfig, data: PreparedDataset
) -> tuple[Groups, ...] | None:
    """Returns the groups of each item; numbers tell columns and values apart.

    Items of the file that the vocabulary does not have count for nothing: it
    may be of the whole catalogue.
    """
    if not config.limits:
        return None
    path = Path(config.groups or data.data_dir / FILE_NAME)
    try:
        columns = read_columns(path, headed=bool(config.groups))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"`--groups` must be a file with tabs between its columns: {path} "
            f"cannot be read ({error})."
        ) from error
    groups: list[list[tuple[int, int]]] = [[] for _ in range(data.num_items)]
    numbers: dict[tuple[str, str], int] = {}
    for name, most in config.limits.items():
        if name not in columns:
            raise InputError(
                f"`--per_group` must name a column of {path}: "
                f"{', '.join(columns)}. Received: {name}."
                f"{nearest_names(name, columns)}"
            )
        for place, item in enumerate(data.vocabulary.items):
            # Each once, and in a fixed order.
            values = dict.fromkeys(
                columns[name].get(item, "").split(_SEPARATOR)
            )
            groups[place] += [
                (numbers.setdefault((name, value), len(numbers)), most)
                for value in values
                if value
            ]
    return tuple(map(tuple, groups))
