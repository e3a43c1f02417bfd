"""Files of flags: `--flagfile`, in which the command line has the last word.

A file holds a flag in each line, `--name=value`; empty lines and those that
start with # or // are skipped. It may name another file by `--flagfile`. What
stands nearer to the command line wins, wherever it stands: a flag of the
command line over those of all files, a flag of a file over those of the files
that it names. Of several files the later wins.
"""

import itertools
import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tfrec.errors import InputError

_COMMENTS = ("#", "//")


class Argument(NamedTuple):
    """One argument of a command.

    Attributes:
        text: As it stands there: "--epochs=5".
        place: File and line; "" on the command line.
    """

    text: str
    place: str = ""

    @property
    def name(self) -> str:
        """The name of the flag, without dashes and value."""
        return self.text.lstrip("-").partition("=")[0]


def expand(arguments: Iterable[str]) -> list[Argument]:
    """Replaces each `--flagfile` by what the file holds.

    Args:
        arguments: Those of the command line, without the program.

    Returns:
        What to parse: a later argument wins over an earlier one.

    Raises:
        InputError: If a file cannot be read, names itself, or has a line that
            is no flag: file and line.
    """
    return _expand([Argument(text) for text in arguments], ())


def _expand(
    arguments: list[Argument], opened: tuple[str, ...]
) -> list[Argument]:
    """Puts what files hold before the other arguments.

    Args:
        arguments: Of the command line or of a file.
        opened: The files that led here.
    """
    files, own = [], []
    left = iter(arguments)
    for argument in left:
        if argument.name != "flagfile" or not argument.text.startswith("-"):
            own.append(argument)
            continue
        path = argument.text.partition("=")[2]
        if "=" not in argument.text:
            path = next(left, Argument("")).text
        files.append(_read(argument, path, opened))
    return [*itertools.chain.from_iterable(files), *own]


def _read(
    argument: Argument, path: str, opened: tuple[str, ...]
) -> list[Argument]:
    """Returns the flags of the file that an argument names."""
    where = f" ({argument.place})" if argument.place else ""
    if not path:
        raise InputError(
            f"`--flagfile` must name a file of flags. Received: nothing.{where}"
        )
    path = os.path.expanduser(path)
    real = os.path.realpath(path)
    if real in opened:
        raise InputError(
            f"`--flagfile` must not lead back to the file that it stands in. "
            f"Received: {path}.{where}"
        )
    try:
        # Some editors of Windows begin a file with a mark.
        with open(path, encoding="utf-8-sig") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"`--flagfile` must name a file of flags that can be read. "
            f"Received: {path}.{where} ({error})"
        ) from error
    return _expand(list(_flags(path, lines)), (*opened, real))


def _flags(path: str, lines: list[str]) -> Iterator[Argument]:
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith(_COMMENTS):
            continue
        place = f"{path}, line {number}"
        name, *value = text.split(maxsplit=1)
        if name in ("--flagfile", "-flagfile"):
            yield from (Argument(part, place) for part in (name, *value))
        elif text.startswith("-") and ("=" in name or not value):
            yield Argument(text, place)
        else:
            raise InputError(
                f"{place}: expected a flag, --name=value. Received: {text!r}."
            )
