"""Text files with one record in each line."""

import gzip
import itertools
from collections.abc import Iterator
from pathlib import Path

import ibis
import ibis.expr.types as ir

from tfrec.errors import InputError

# One field for the whole line: a separator that no text file contains.
_NO_SEPARATOR = "\x01\x02\x03\x04"
# DuckDB takes 16 times as much memory.
_MAX_LINE_BYTES = 1 << 22


class Lines:
    """A text file, one record in each line that is not blank.

    Args:
        path: The file.
        encoding: "utf-8" or "latin-1".
    """

    def __init__(self, path: Path, encoding: str = "utf-8"):
        self._path = path
        self._encoding = encoding

    def table(self, connection: ibis.BaseBackend) -> ir.Table:
        """Returns `line` and `position`, the line's number from 0."""
        with open(self._path, "rb") as file:
            first = file.readline(_MAX_LINE_BYTES)
        end = r"\r\n" if first.endswith(b"\r\n") else r"\n"
        lines = connection.sql(
            "SELECT row_number() OVER () - 1 AS position, line FROM read_csv("
            f"{sql_text(self._path)}, columns={{'line': 'VARCHAR'}}, "
            f"delim={sql_text(_NO_SEPARATOR)}, header=false, quote='', "
            f"escape='', auto_detect=false, strict_mode=false, "
            f"encoding={sql_text(self._encoding)}, new_line='{end}', "
            f"max_line_size={_MAX_LINE_BYTES})",
            schema={"position": "int64", "line": "string"},
        )
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


def sql_text(text: str | Path) -> str:
    """Returns a string literal of SQL."""
    return "'" + str(text).replace("'", "''") + "'"


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
