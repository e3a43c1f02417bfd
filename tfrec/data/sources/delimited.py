"""Text files with separated fields, most with a header: CSV and its kin."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import ibis.expr.types as ir

from tfrec.data.engine import Engine
from tfrec.data.sources.fields import reading
from tfrec.data.sources.records import (
    Record,
    csv_reader,
    delimited_records,
    whole_fields,
)
from tfrec.data.sources.text import check_whole, decoded_lines, pick
from tfrec.errors import InputError


class Delimited:
    """Files of one log, plain or compressed; fields may be quoted.

    Args:
        paths: The files; they follow each other in this order.
        separator: The text between fields.
        columns: Names of the fields, if the files have no header.

    Raises:
        InputError: If there should be headers, and a file is empty or they
            differ.
    """

    by_records = True

    def __init__(
        self,
        paths: Sequence[Path],
        separator: str = ",",
        columns: Sequence[str] = (),
    ):
        self.paths = paths
        self._separator = separator
        self._headed = not columns
        self.columns = columns
        if columns:
            return
        self.columns = self._header(paths[0])
        for path in paths[1:]:
            if (header := self._header(path)) != self.columns:
                raise InputError(
                    f"{path}, line 1: the files of a folder must have one "
                    f"header. Expected: {', '.join(self.columns)}, as in "
                    f"{paths[0]}. Received: {', '.join(header)}."
                )

    def table(self, engine: Engine, names: Mapping[str, str]) -> ir.Table:
        """Returns some columns as strings, and `position`, from 0.

        Args:
            engine: What reads them.
            names: The columns of the files, by the names they shall get.

        Raises:
            InputError: If a file is compressed and damaged.
        """
        chosen = {role: self.columns.index(n) for role, n in names.items()}
        for path in self.paths:
            check_whole(path)
        with reading(engine, self):
            return engine.delimited(
                self.paths,
                self._separator,
                len(self.columns),
                [self._first_line(path) for path in self.paths]
                if self._headed
                else [],
                chosen,
            )

    def where(self, positions: Sequence[int]) -> list[tuple[str, str]]:
        """Returns records' places, "x/log.csv, line 7", and their texts.

        Raises:
            InputError: If a record up to them has too many or too few fields,
                an open quote, or cannot be decoded.
        """
        found = pick(self._records(), positions)
        if found is None:
            raise InputError(
                f"{self.paths[-1]} ends before record {max(positions) + 1} of "
                "the log. Are there carriage returns without a line feed?"
            )
        return [(place, self._separator.join(f)) for place, f in found]

    def records(self) -> Iterator[Record]:
        """Yields every record, those that cannot be read too."""
        width = len(self.columns)
        for path in self.paths:
            yield from delimited_records(
                path, self._separator, width, self._headed
            )

    def check(self) -> None:
        """Raises `InputError` at the first malformed record."""
        for _ in self._records():
            pass

    def _header(self, path: Path) -> list[str]:
        for _, fields in self._rows(path):
            return fields
        raise InputError(f"{path} is empty; expected a header and rows.")

    def _first_line(self, path: Path) -> int:
        """Returns how many blank lines there are before the header."""
        return next(self._rows(path))[0] - 1

    def _records(self) -> Iterator[tuple[str, list[str]]]:
        expected = len(self.columns)
        for path in self.paths:
            rows = self._rows(path)
            if self._headed:
                next(rows)
            for line, fields in rows:
                place = f"{path}, line {line}"
                fields = whole_fields(fields, expected)
                if len(fields) != expected:
                    text = self._separator.join(fields)
                    raise InputError(
                        f"{place}: expected {expected} fields separated by "
                        f"{self._separator!r}. Received {len(fields)}: "
                        f"{text[:120]!r}."
                    )
                yield place, fields

    def _rows(self, path: Path) -> Iterator[tuple[int, list[str]]]:
        """Yields each record's fields and the number of its first line."""
        lines = decoded_lines(path)
        if len(self._separator) > 1:
            for number, text in enumerate(lines, 1):
                if text.strip("\r\n"):
                    yield number, text.rstrip("\r\n").split(self._separator)
            return
        reader = csv_reader(lines, self._separator)
        first = 1
        try:
            for fields in reader:
                if fields:
                    yield first, fields
                first = reader.line_num + 1
        except csv.Error as error:
            said = str(error)
            if said.startswith("new-line character"):
                said = "a carriage return without a line feed"
            raise InputError(f"{path}, line {first}: {said}.") from error
