"""Text files with one record in each line."""

import gzip
import itertools
from collections.abc import Iterator
from pathlib import Path

import ibis.expr.types as ir

from tfrec.data.engine import Engine
from tfrec.data.sources.fields import reading
from tfrec.errors import InputError


class Lines:
    """A text file, one record in each line that is not blank.

    Args:
        path: The file.
        encoding: "utf-8" or "latin-1".
    """

    def __init__(self, path: Path, encoding: str = "utf-8"):
        self._path = path
        self._encoding = encoding

    def table(self, engine: Engine) -> ir.Table:
        """Returns `line` and `position`, the line's number from 0."""
        with reading(engine, self):
            lines = engine.lines(self._path, self._encoding)
        # An empty line is null.
        return lines.filter(lines.line.strip() != "")

    def where(self, position: int) -> tuple[str, str]:
        """Returns a record's place, "x/ratings.dat, line 7", and its text.

        Raises:
            InputError: If a line up to it cannot be decoded.
        """
        lines = decoded_lines(self._path, self._encoding)
        text = next(itertools.islice(lines, position, None)).rstrip("\r\n")
        return f"{self._path}, line {position + 1}", text

    def check(self) -> None:
        """Raises `InputError` at the first line that cannot be decoded."""
        for _ in decoded_lines(self._path, self._encoding):
            pass


def decoded_lines(path: Path, encoding: str = "utf-8") -> Iterator[str]:
    """Yields the lines of a file, plain or gzipped, with their ends.

    Raises:
        InputError: If a line cannot be decoded: the file and line.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    number = 0
    try:
        with opened(path, "rb") as file:
            for number, line in enumerate(file, 1):
                text = line.decode(encoding)
                yield text.removeprefix("\ufeff") if number == 1 else text
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}, line {number}: the text must be {encoding}. Received: "
            f"{error.object[:80]!r}."
        ) from None
    except (EOFError, gzip.BadGzipFile) as error:
        raise InputError(
            f"{path}, after line {number}: {error}. The file is damaged or "
            "cut short."
        ) from error
