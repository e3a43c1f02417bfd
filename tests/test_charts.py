"""Charts: what is drawn, where it stands, and what a page shows of it."""

import itertools
import re
import xml.etree.ElementTree as ElementTree

import pytest

from tfrec import svg
from tfrec.charts import (
    Series,
    bar_chart,
    histogram,
    line_chart,
    scatter,
)
from tfrec.web_page import page

SVG = "{http://www.w3.org/2000/svg}"


def _picture(figure: str) -> ElementTree.Element:
    return ElementTree.fromstring(figure).find(f"{SVG}svg")


def _cells(figure: str) -> list[list[str]]:
    rows = ElementTree.fromstring(figure).findall(".//tr")
    return [[cell.text or "" for cell in row] for row in rows]


def _texts(figure: str) -> list[str]:
    return [each.text for each in _picture(figure).iter(f"{SVG}text")]


def test_a_line_goes_through_its_points_in_order():
    figure = line_chart("L", [Series("a", [0, 1, 2], [0, 10, 0])], "x", "y")
    circles = [
        (float(c.get("cx")), float(c.get("cy")))
        for c in _picture(figure).iter(f"{SVG}circle")
    ]
    (x0, y0), (x1, y1), (x2, y2) = circles
    assert x0 < x1 < x2
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    # Pixels are counted from above.
    assert y1 < y0 == y2
    path = next(
        each.get("d")
        for each in _picture(figure).iter(f"{SVG}path")
        if each.get("fill") == "none"
    )
    assert path == f"M{x0} {y0} L{x1} {y1} L{x2} {y2}"


@pytest.mark.parametrize("missing", [None, float("nan"), float("inf")])
def test_a_missing_value_is_a_gap_and_not_a_zero(missing):
    series = Series("a", [1, 2, 3, 4], [5.0, missing, 6.0, 7.0])
    figure = line_chart("L", [series], "x", "y")
    assert figure.count("<circle") == 3
    assert re.search(r'd="M[\d. ]+ M[\d. ]+ L[\d. ]+"', figure)
    assert _cells(figure)[2] == ["a", "2", ""]


def test_the_numbers_stand_in_a_table_with_their_intervals():
    series = Series("a", [1, 2], [0.25, 0.5], [(0.2, 0.3), None])
    assert _cells(line_chart("L", [series], "epoch", "recall")) == [
        ["", "epoch", "recall"],
        ["a", "1", "0.25 (0.2 to 0.3)"],
        ["a", "2", "0.5"],
    ]


def test_a_chart_has_a_title_labels_and_a_description():
    series = [Series("one", [1, 2], [3, 4]), Series("two", [1, 2], [4, 3])]
    figure = scatter("Points", series, "across", "up", "They cross.")
    assert _picture(figure).find(f"{SVG}title").text == "Points"
    assert _picture(figure).find(f"{SVG}desc").text == "They cross."
    assert {"Points", "across", "up", "one", "two"} <= set(_texts(figure))


def test_bars_are_as_long_as_their_values_and_begin_at_zero():
    series = [
        Series("ours", ["pop", "acvae"], [1.0, 2.0], [None, (1.5, 2.5)]),
        Series("paper", ["acvae"], [4.0]),
    ]
    figure = bar_chart("B", series, "recall")
    bars = {
        each.find(f"{SVG}title").text: (
            float(each.get("x")),
            float(each.get("width")),
        )
        for each in _picture(figure).iter(f"{SVG}rect")
        if each.find(f"{SVG}title") is not None
    }
    assert set(bars) == {"ours, pop: 1", "ours, acvae: 2", "paper, acvae: 4"}
    assert len({start for start, _ in bars.values()}) == 1
    unit = bars["ours, pop: 1"][1]
    assert bars["paper, acvae: 4"][1] == pytest.approx(4 * unit, abs=0.5)
    assert _cells(figure) == [
        ["", "ours", "paper"],
        ["pop", "1", ""],
        ["acvae", "2 (1.5 to 2.5)", "4"],
    ]


def test_a_long_name_leaves_the_bars_their_place():
    name = "runs/" + 90 * "x" + "_seed0"
    figure = bar_chart("B", [Series("ours", [name], [1.0])], "recall")
    (bar,) = (
        each
        for each in _picture(figure).iter(f"{SVG}rect")
        if each.find(f"{SVG}title") is not None
    )
    assert 0 < float(bar.get("x")) < 320
    assert float(bar.get("width")) > 200
    texts = [each.text for each in _picture(figure).iter(f"{SVG}text")]
    assert "…" + name[-35:] in texts
    # Whole where it is pointed at, and in the table.
    assert bar.find(f"{SVG}title").text == f"ours, {name}: 1"
    assert _cells(figure)[1][0] == name


def test_a_histogram_counts_every_value_once():
    figure = histogram("H", [0, 0.1, 0.9, 1.0, float("nan")], "x", bins=2)
    assert _cells(figure)[1:] == [["0 to 0.5", "2"], ["0.5 to 1", "2"]]
    assert _cells(histogram("H", [3.0, 3.0], "x", bins=1))[1][1] == "2"


def test_without_values_a_chart_says_so():
    empty = Series("a", [], [])
    for figure in (
        line_chart("T", [empty], "x", "y"),
        bar_chart("T", [empty], "x"),
        histogram("T", [], "x"),
        scatter("T", [Series("a", [1], [None])], "x", "y"),
    ):
        assert "no values" in figure
        assert "<svg" not in figure


def test_what_is_shown_cannot_become_markup():
    evil = '<script>alert(1)</script>&"'
    series = [Series(evil, [evil], [1.0]), Series("b", [evil], [2.0])]
    lines = [Series(evil, [1, 2], [1, 2]), Series("b", [1], [2])]
    document = page(
        evil,
        [
            bar_chart(evil, series, evil, evil),
            line_chart(evil, lines, evil, evil, evil),
            histogram(evil, [1, 2], evil, evil),
        ],
    )
    assert "<script" not in document


def test_a_page_needs_nothing_beside_itself():
    document = page("T", [line_chart("L", [Series("a", [1], [2])], "x", "y")])
    # The address names the language of the picture; nothing is loaded.
    assert document.replace("http://www.w3.org/2000/svg", "").count("://") == 0
    assert "color-scheme: light dark" in document


def test_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"one length\. Received: 2, 1 and 0"):
        Series("a", [1, 2], [1])


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (0.071, 0.0712), (-3, 4623), (5, 5), (0, 0)]
)
def test_ticks_are_few_even_and_reach_beyond_the_values(low, high):
    ticks = svg.ticks(low, high)
    assert ticks[0] <= low + 1e-9 and ticks[-1] >= high - 1e-9
    assert 2 <= len(ticks) <= 9
    steps = {
        round((b - a) / (ticks[1] - ticks[0]), 6)
        for a, b in itertools.pairwise(ticks)
    }
    assert steps == {1.0}


def test_whole_numbers_keep_their_digits():
    assert svg.number(8326407) == "8326407"
    assert svg.number(0.123456789) == "0.12346"
