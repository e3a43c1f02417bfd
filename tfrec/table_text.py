"""Tables as text: for a terminal, Markdown, CSV, and as a part of a page."""

import csv
import dataclasses
import io
import textwrap
from collections.abc import Sequence

from tfrec.web_page import note, table

_WIDTH = 78
FORMATS = ("text", "markdown", "csv")


@dataclasses.dataclass(frozen=True)
class Table:
    """A table whose first column names its rows.

    Attributes:
        caption: What holds for all of it, such as the protocol.
        head: Titles of the columns.
        rows: Cells, as they are shown.
        notes: Lines below.
    """

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    def render(self, kind: str) -> str:
        """Returns the table as one of `FORMATS`, without a last newline."""
        return getattr(self, f"_{kind}")()

    def _text(self) -> str:
        lines = [self.head, *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        aligned = [
            "  ".join(
                [
                    line[0].ljust(widths[0]),
                    *map(str.rjust, line[1:], widths[1:]),
                ]
            ).rstrip()
            for line in lines
        ]
        notes = [textwrap.fill(text, _WIDTH) for text in self.notes]
        return "\n".join([self.caption, *aligned, *notes])

    def _markdown(self) -> str:
        ruler = ["---", *["---:"] * (len(self.head) - 1)]
        lines = [self.head, ruler, *self.rows]
        table = [
            "| " + " | ".join(c.replace("|", "\\|") for c in line) + " |"
            for line in lines
        ]
        notes = [line for text in self.notes for line in ("", text)]
        return "\n".join([self.caption, "", *table, *notes])

    def _csv(self) -> str:
        file = io.StringIO()
        csv.writer(file, lineterminator="\n").writerows([self.head, *self.rows])
        return file.getvalue().rstrip("\n")

    def fragment(self) -> str:
        """Returns the table and its notes as HTML, for a page."""
        shown = table(self.head, self.rows, self.caption)
        return "\n".join(
            [f'<div class="wide">{shown}</div>', *map(note, self.notes)]
        )
