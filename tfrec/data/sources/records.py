"""The records of text files, whole or not."""

import collections
import csv
import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tfrec.data.sources.text import MAX_LINE_BYTES, encoded_lines

# Of a quoted field that goes on; a quote that nobody closed ends before.
_MOST_LINES = 20
# A field, to its last quote or the end of the line; a group for that quote.
_QUOTED = r'"[^"]*(?:""[^"]*)*("|\Z)'


@dataclasses.dataclass(frozen=True)
class Record:
    """A record of a text file.

    Attributes:
        place: "x/log.csv, line 7".
        fields: Its fields; what cannot be read has none.
        text: What stands there.
        expected: What should have stood there; empty if it can be read.
    """

    place: str
    fields: Sequence[str]
    text: str
    expected: str = ""


def delimited_records(
    path: Path, separator: str, width: int, headed: bool
) -> Iterator[Record]:
    """Yields the records of a file with separated fields, whole or not.

    A quoted field may go on in the next lines, if the record then has the
    right number of fields; otherwise its first line is wrong, and no other.

    Args:
        path: The file.
        separator: The text between fields.
        width: The number of fields of a record.
        headed: Whether the first record is a header, to be left out.
    """
    expected = f"{width} fields separated by {separator!r}"
    waiting = collections.deque()
    lines = _lines(path)

    def next_line() -> tuple[int, str | bytes] | None:
        return waiting.popleft() if waiting else next(lines, None)

    while (line := next_line()) is not None:
        number, text = line
        place = f"{path}, line {number}"
        if isinstance(text, bytes):
            yield Record(place, (), _escaped(text), "text in utf-8")
            continue
        if not text.strip("\r\n"):
            continue
        taken = [text]
        fields = _fields(taken, separator)
        more = []
        while fields is None and len(more) < _MOST_LINES:
            line = next_line()
            if line is None:
                break
            more.append(line)
            if isinstance(line[1], bytes):
                break
            taken.append(line[1])
            fields = _fields(taken, separator)
        if fields is not None:
            fields = whole_fields(fields, width)
        if fields is None or len(fields) != width:
            waiting.extendleft(reversed(more))
            if not headed:
                said = text.rstrip("\r\n")
                yield Record(place, (), said, expected)
        elif not headed:
            yield Record(place, fields, separator.join(fields))
        headed = False


def csv_reader(lines: Iterable[str], separator: str) -> Any:
    """Returns a `csv.reader` that takes for fields what DuckDB does.

    Args:
        lines: With their ends.
        separator: One character.
    """
    # Python's own limit is shorter than a line may be.
    most = _MOST_LINES * MAX_LINE_BYTES
    csv.field_size_limit(max(csv.field_size_limit(), most))
    if separator != " ":
        lines = _without_spaces(lines, separator)
    return csv.reader(lines, delimiter=separator, strict=True)


def _without_spaces(lines: Iterable[str], separator: str) -> Iterator[str]:
    """Yields lines without the spaces around a quoted field.

    As DuckDB, of several before it none are left out, and behind it all are.
    """
    between = re.escape(separator)
    behind = rf"(?: +(?={between}|[\r\n]*\Z))?"
    first = re.compile(rf"(\A|{between}) ?({_QUOTED}){behind}")
    later = re.compile(rf"({between}) ?({_QUOTED}){behind}")
    rest = re.compile(rf"()({_QUOTED[1:]}){behind}")
    is_open = False

    def without(found: re.Match[str]) -> str:
        nonlocal is_open
        is_open = not found[3]
        return found[1] + found[2]

    for line in lines:
        if '"' not in line:
            yield line
        elif is_open:
            before = rest.match(line)
            text = without(before)
            yield text + later.sub(without, line[before.end() :])
        else:
            yield first.sub(without, line)


def whole_fields(fields: list[str], width: int) -> list[str]:
    """Returns the fields of a record, without empty ones too many.

    A line may end with separators, as DuckDB reads it.
    """
    while len(fields) > width and not fields[-1]:
        fields = fields[:-1]
    return fields


def line_records(path: Path, encoding: str) -> Iterator[Record]:
    """Yields the lines of a text file, those that are no text too."""
    for number, text in _lines(path, encoding):
        place = f"{path}, line {number}"
        if isinstance(text, bytes):
            said = _escaped(text)
            yield Record(place, (), said, f"text in {encoding}")
        elif "\r" in (line := text.rstrip("\r\n")):
            expected = "a line without a carriage return inside"
            yield Record(place, (), _escaped(line.encode()), expected)
        elif line.strip():
            yield Record(place, (line,), line)


def _escaped(line: bytes) -> str:
    return repr(line.rstrip(b"\r\n")[:120])[2:-1]


def _lines(
    path: Path, encoding: str = "utf-8"
) -> Iterator[tuple[int, str | bytes]]:
    """Yields numbered lines, as bytes where they cannot be decoded."""
    for number, line in enumerate(encoded_lines(path), 1):
        try:
            text = line.decode(encoding)
        except UnicodeDecodeError:
            yield number, line
            continue
        yield number, text.removeprefix("\ufeff") if number == 1 else text


def _fields(lines: Sequence[str], separator: str) -> list[str] | None:
    """Splits a record; None if a quote is open, [] if it is none."""
    if len(separator) > 1:
        return lines[0].rstrip("\r\n").split(separator)
    parts = [*lines[:-1], lines[-1].rstrip("\r\n")]
    try:
        records = list(csv_reader(parts, separator))
    except csv.Error as error:
        return None if "unexpected end" in str(error) else []
    return records[0] if len(records) == 1 else []
