"""The frame of the pages that commands write, and what stands in it.

A page needs nothing beside itself and follows the colours of the system.

Example:

    from tfrec.web_page import heading, note, page

    html = page("A run", [heading("Data"), note("100 users.")])
"""

import html
from collections.abc import Iterable, Sequence

STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto;
  max-width: 60rem; padding: 0 1rem; }
table { border-collapse: collapse; margin: .5rem 0; }
.wide { overflow-x: auto; }
caption { text-align: left; padding-bottom: .5rem; }
th, td { padding: .2rem .7rem; text-align: right; white-space: nowrap; }
th { border-bottom: 1px solid; }
th:first-child, td:first-child { text-align: left; }
figure { margin: 1.5rem 0; }
figure svg { max-width: 100%; height: auto; }
details { font-size: 13px; }
details div { max-height: 20rem; overflow: auto; }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """Returns an HTML document.

    Args:
        title: Its title, as text.
        parts: What it holds, as HTML.
    """
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n"
        f"<h1>{escape(title)}</h1>\n{body}\n</html>\n"
    )


def heading(text: str) -> str:
    """Returns the heading of a part."""
    return f"<h2>{escape(text)}</h2>"


def note(text: str) -> str:
    """Returns a paragraph."""
    return f"<p>{escape(text)}</p>"


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], caption: str = ""
) -> str:
    """Returns a table.

    Args:
        head: Titles of the columns.
        rows: Cells, as they are shown.
        caption: Stands above it.
    """

    def row(cells: Sequence[str], tag: str) -> str:
        shown = "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells)
        return f"<tr>{shown}</tr>"

    lines = [row(head, "th"), *(row(cells, "td") for cells in rows)]
    if caption:
        lines.insert(0, f"<caption>{escape(caption)}</caption>")
    return "\n".join(["<table>", *lines, "</table>"])


def escape(text: str) -> str:
    """Returns text as HTML shows it."""
    return html.escape(str(text))
