"""Tables as text: for a terminal, Markdown, CSV and a web page."""

import csv
import dataclasses
import html
import io
import textwrap
from collections.abc import Sequence

_WIDTH = 78
FORMATS = ("text", "markdown", "csv", "html")

_PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem; }}
table {{ border-collapse: collapse; }}
caption {{ text-align: left; padding-bottom: .5rem; }}
th, td {{ padding: .3rem .8rem; text-align: right; white-space: nowrap; }}
th {{ border-bottom: 1px solid; }}
th:first-child, td:first-child {{ text-align: left; }}
</style>
{table}
</html>"""


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
        notes = [textwrap.fill(note, _WIDTH) for note in self.notes]
        return "\n".join([self.caption, *aligned, *notes])

    def _markdown(self) -> str:
        ruler = ["---", *["---:"] * (len(self.head) - 1)]
        lines = [self.head, ruler, *self.rows]
        table = [
            "| " + " | ".join(c.replace("|", "\\|") for c in line) + " |"
            for line in lines
        ]
        notes = [line for note in self.notes for line in ("", note)]
        return "\n".join([self.caption, "", *table, *notes])

    def _csv(self) -> str:
        file = io.StringIO()
        csv.writer(file, lineterminator="\n").writerows([self.head, *self.rows])
        return file.getvalue().rstrip("\n")

    def _html(self) -> str:
        return _PAGE.format(
            title=html.escape(self.caption), table=self.fragment()
        )

    def fragment(self) -> str:
        """Returns the table and its notes as HTML, for a page with others."""

        def row(cells: Sequence[str], tag: str) -> str:
            cells = "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells)
            return f"<tr>{cells}</tr>"

        return "\n".join(
            [
                "<table>",
                f"<caption>{html.escape(self.caption)}</caption>",
                row(self.head, "th"),
                *(row(cells, "td") for cells in self.rows),
                "</table>",
                *(f"<p>{html.escape(note)}</p>" for note in self.notes),
            ]
        )
