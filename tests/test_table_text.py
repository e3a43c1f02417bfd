"""Tests of tables in every format."""

import csv
import io
from html.parser import HTMLParser

import pytest

from tfrec.table_text import FORMATS, Table

TABLE = Table(
    "test of <all>",
    ["run", "Recall@10"],
    [["a|b", "0.5"], ["<script>", "0.25, a half"]],
    ["One note."],
)


class Cells(HTMLParser):
    """Reads what a page shows, and which tags it has."""

    def __init__(self, page):
        super().__init__()
        self.texts, self.tags = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        assert not {"src", "href"} & {name for name, _ in attrs}

    def handle_data(self, data):
        self.texts.append(data)


def test_text_is_aligned():
    assert TABLE.render("text") == (
        "test of <all>\n"
        "run          Recall@10\n"
        "a|b                0.5\n"
        "<script>  0.25, a half\n"
        "One note."
    )


def test_markdown_has_cells_with_bars():
    assert TABLE.render("markdown").splitlines()[2:6] == [
        "| run | Recall@10 |",
        "| --- | ---: |",
        "| a\\|b | 0.5 |",
        "| <script> | 0.25, a half |",
    ]


def test_csv_is_read_again():
    rows = list(csv.reader(io.StringIO(TABLE.render("csv"))))
    assert rows == [list(TABLE.head), *map(list, TABLE.rows)]


def test_a_part_of_a_page_shows_cells_as_text_and_loads_nothing():
    page = Cells(TABLE.fragment())
    assert "script" not in page.tags
    for cell in (TABLE.caption, *TABLE.head, *TABLE.rows[1], "One note."):
        assert cell in page.texts


@pytest.mark.parametrize("kind", FORMATS)
def test_a_table_without_rows_has_a_head(kind):
    assert "Recall@10" in Table("x", TABLE.head, []).render(kind)
