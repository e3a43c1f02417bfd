"""Text files with one record in each line."""

import gzip
import io
import itertools
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import ibis.expr.types as ir
import pyarrow as pa

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
        """Returns `line` and `position`, the line's number from 0.

        Raises:
            InputError: If the file is compressed and damaged.
        """
        check_whole(self._path)
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
        text = next(itertools.islice(lines, position, None), None)
        if text is None:
            raise InputError(
                f"{self._path} has fewer than {position + 1} lines that end "
                "with a line feed. Are there carriage returns without one?"
            )
        return f"{self._path}, line {position + 1}", text.rstrip("\r\n")

    def check(self) -> None:
        """Raises `InputError` at the first line that cannot be decoded."""
        for _ in decoded_lines(self._path, self._encoding):
            pass


def decoded_lines(path: Path, encoding: str = "utf-8") -> Iterator[str]:
    """Yields the lines of a file, plain or compressed, with their ends.

    Raises:
        InputError: If a line cannot be decoded: the file and line.
    """
    number = 0
    try:
        with opened(path) as file:
            for number, line in enumerate(file, 1):
                text = line.decode(encoding)
                yield text.removeprefix("\ufeff") if number == 1 else text
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}, line {number}: the text must be {encoding}. Received: "
            f"{error.object[:80]!r}."
        ) from None
    except _DAMAGES as error:
        raise _damaged(f"{path}, after line {number}", error) from error


def opened(path: Path) -> BinaryIO:
    """Opens a file to read its bytes; `.gz` and `.zst` are decompressed."""
    if path.suffix == ".gz":
        return gzip.open(path)
    if path.suffix == ".zst":
        return io.BufferedReader(pa.input_stream(path, compression="zstd"))
    return open(path, "rb")


def check_whole(path: Path) -> None:
    """Raises `InputError` if a compressed file is damaged or cut short.

    It is read for that, to its checksum, which engines do not look at.
    """
    if path.suffix not in (".gz", ".zst"):
        return
    try:
        with opened(path) as file:
            while file.read(1 << 20):
                pass
    except _DAMAGES as error:
        raise _damaged(str(path), error) from error


# What reading a damaged file raises; zstd's errors are plain `OSError`s.
_DAMAGES = (EOFError, OSError, zlib.error)


def _damaged(place: str, error: Exception) -> InputError:
    return InputError(f"{place}: {error}. The file is damaged or cut short.")
