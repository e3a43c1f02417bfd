"""Text files with one record in each line."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import ibis.expr.types as ir

from tfrec.data.engine import Engine
from tfrec.data.sources.fields import Malformed, reading
from tfrec.data.sources.records import Record, line_records
from tfrec.data.sources.text import (
    check_line_ends,
    check_whole,
    decoded_lines,
    pick,
)
from tfrec.errors import InputError


class Lines:
    """A text file, one record in each line that is not blank.

    Args:
        path: The file.
        encoding: "utf-8" or "latin-1".
    """

    columns = ("line",)
    by_records = True

    def __init__(self, path: Path, encoding: str = "utf-8"):
        self._path = path
        self.paths = [path]
        self._encoding = encoding

    def table(self, engine: Engine) -> ir.Table:
        """Returns `line` and `position`, the line's number from 0.

        Raises:
            InputError: If the file is compressed and damaged.
            Malformed: If a line has a carriage return inside.
        """
        check_whole(self._path)
        if engine.minds_line_ends:
            try:
                check_line_ends(self._path)
            except InputError as error:
                raise Malformed(str(error)) from error
        with reading(engine, self):
            lines = engine.lines(self._path, self._encoding)
        # An empty line is null.
        return lines.filter(lines.line.strip() != "")

    def where(self, positions: Sequence[int]) -> list[tuple[str, str]]:
        """Returns records' places, "x/ratings.dat, line 7", and their texts.

        Raises:
            InputError: If a line up to them cannot be decoded.
        """
        lines = decoded_lines(self._path, self._encoding)
        texts = pick(lines, positions)
        if texts is None:
            raise InputError(
                f"{self._path} has fewer than {max(positions) + 1} lines. Was "
                "it changed meanwhile?"
            )
        return [
            (f"{self._path}, line {position + 1}", text.rstrip("\r\n"))
            for position, text in zip(positions, texts, strict=True)
        ]

    def records(self) -> Iterator[Record]:
        """Yields every line that is not blank, undecodable ones too."""
        return line_records(self._path, self._encoding)

    def check(self) -> None:
        """Raises `InputError` at the first line that cannot be decoded."""
        for _ in decoded_lines(self._path, self._encoding):
            pass
