"""Text files, plain or compressed: opened, checked, decoded."""

import gzip
import io
import itertools
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, TypeVar

import pyarrow as pa

from tfrec.errors import InputError

# The longest line that is read; DuckDB takes 16 times as much memory for one.
MAX_LINE_BYTES = 1 << 22
# What reading a damaged file raises; zstd's errors are plain `OSError`s.
_DAMAGES = (EOFError, OSError, zlib.error)
_Thing = TypeVar("_Thing")


def decoded_lines(path: Path, encoding: str = "utf-8") -> Iterator[str]:
    """Yields the lines of a file, plain or compressed, with their ends.

    Raises:
        InputError: If a line cannot be decoded or is too long: the file and
            line.
    """
    number = 0
    try:
        for number, line in enumerate(encoded_lines(path), 1):
            text = line.decode(encoding)
            yield text.removeprefix("\ufeff") if number == 1 else text
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}, line {number}: the text must be {encoding}. Received: "
            f"{error.object[:80]!r}."
        ) from None
    except _DAMAGES as error:
        raise _damaged(f"{path}, after line {number}", error) from error


def encoded_lines(path: Path) -> Iterator[bytes]:
    """Yields the lines of a file, plain or compressed, with their ends.

    Raises:
        InputError: If a line is too long: the file and line.
    """
    with opened(path) as file:
        number = 0
        while line := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(line) > MAX_LINE_BYTES:
                raise InputError(
                    f"{path}, line {number}: it is longer than "
                    f"{MAX_LINE_BYTES:,} bytes. Is it a text file, with an "
                    f"end to each line? It begins: {line[:40]!r}."
                )
            yield line


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


def check_line_ends(path: Path) -> None:
    """Raises `InputError` at a carriage return without a line feed.

    DuckDB takes it for the end of a line, and other readers do not.
    """
    before = b""
    try:
        with opened(path) as file:
            while chunk := file.read(1 << 20):
                chunk = before + chunk
                # Its line feed may come with the next bytes.
                before = b"\r" if chunk.endswith(b"\r") else b""
                alone = chunk.count(b"\r") - chunk.count(b"\r\n")
                if alone > len(before):
                    raise _returned(path)
    except _DAMAGES as error:
        raise _damaged(str(path), error) from error
    if before:
        raise _returned(path)


def other_end(path: Path) -> int | None:
    """Returns which line is the first to end otherwise than line 1, if any.

    Some end with a line feed alone, others with a carriage return before it.
    """
    first = None
    for number, line in enumerate(encoded_lines(path), 1):
        if line.endswith(b"\n"):
            end = line.endswith(b"\r\n")
            if first not in (None, end):
                return number
            first = end
    return None


def _returned(path: Path) -> InputError:
    """Returns the error that names the first carriage return of its own."""
    returned = (
        (number, text)
        for number, line in enumerate(encoded_lines(path), 1)
        if b"\r" in (text := line.removesuffix(b"\r\n").removesuffix(b"\n"))
    )
    number, text = next(returned)
    return InputError(
        f"{path}, line {number}: a carriage return without a line feed. Lines "
        f"must end with a line feed, or with both. Received: {text[:120]!r}."
    )


def _damaged(place: str, error: Exception) -> InputError:
    # Of the file system; what a damaged file raises has no number.
    if getattr(error, "errno", None):
        return InputError(f"{place}: it cannot be read: {error.strerror}.")
    return InputError(f"{place}: {error}. The file is damaged or cut short.")


def pick(
    things: Iterator[_Thing], places: Sequence[int]
) -> list[_Thing] | None:
    """Returns what comes at some places, from 0; None if it ends before."""
    wanted = set(places)
    upto = enumerate(itertools.islice(things, max(wanted) + 1))
    found = {place: thing for place, thing in upto if place in wanted}
    if len(found) < len(wanted):
        return None
    return [found[place] for place in places]
