"""Charts as SVG for a web page of one file, with their numbers below.

Each function returns a `<figure>`: a picture that follows the colours of the
page, light or dark, and a folded table of what is drawn. `web_page.page` makes
a whole document of such parts. Only the standard library is used.

Example:

    from tfrec.charts import Series, line_chart
    from tfrec.web_page import page

    loss = Series("loss", [1, 2, 3], [9.5, 7.25, 6.0])
    html = page("A run", [line_chart("Loss", [loss], "epoch", "loss")])
"""

import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence

from tfrec.svg import (
    BOTTOM,
    TOP,
    Axes,
    document,
    figure,
    fill,
    legend_of,
    number,
    segment,
    stroke,
    text,
)
from tfrec.web_page import escape

_BAR = 14
# Pixels that a letter takes at most, and letters of a bar's name.
_LETTER, _MOST_LETTERS = 8, 36


@dataclasses.dataclass(frozen=True)
class Series:
    """Values that belong together: a line, the bars of one colour, points.

    Attributes:
        name: Stands in the legend.
        xs: Where the values stand; for bars the names of the categories.
        ys: The values. None, or not finite: missing, which leaves a gap.
        intervals: For each value a low and a high end, or None. Empty: none
            has an interval.
    """

    name: str
    xs: Sequence
    ys: Sequence[float | None]
    intervals: Sequence[tuple[float, float] | None] = ()

    def __post_init__(self):
        if len(self.xs) != len(self.ys) or (
            self.intervals and len(self.intervals) != len(self.ys)
        ):
            raise ValueError(
                f"`xs`, `ys` and `intervals` of series {self.name!r} must have "
                f"one length. Received: {len(self.xs)}, {len(self.ys)} and "
                f"{len(self.intervals)}."
            )

    def points(self) -> list[tuple]:
        """Returns (x, y or None, interval or None) of each value."""
        intervals = self.intervals or [None] * len(self.ys)
        return [
            (x, y if _finite(y) else None, interval if _finite(y) else None)
            for x, y, interval in zip(self.xs, self.ys, intervals, strict=True)
        ]


def line_chart(
    title: str,
    series: Sequence[Series],
    x_label: str,
    y_label: str,
    description: str = "",
) -> str:
    """Draws each series as a line through its points.

    Args:
        title: What is shown.
        series: The lines. A missing value interrupts its line.
        x_label: What stands on the horizontal axis, and its unit.
        y_label: The same of the vertical one.
        description: What the picture says, for those who cannot see it.
    """
    return _plane(title, series, x_label, y_label, description, lines=True)


def scatter(
    title: str,
    series: Sequence[Series],
    x_label: str,
    y_label: str,
    description: str = "",
) -> str:
    """Draws each series as points; the arguments are those of `line_chart`."""
    return _plane(title, series, x_label, y_label, description, lines=False)


def histogram(
    title: str,
    values: Iterable[float],
    x_label: str,
    y_label: str = "count",
    bins: int = 20,
    description: str = "",
) -> str:
    """Draws how many of the values lie in each of `bins` equal steps."""
    values = [float(value) for value in values if _finite(value)]
    if not values:
        return _empty(title)
    low, high = min(values), max(values)
    width = (high - low) / bins or 1.0
    counts = [0] * bins
    for value in values:
        counts[min(int((value - low) / width), bins - 1)] += 1
    edges = [low + width * i for i in range(bins + 1)]
    axes = Axes((edges[0], edges[-1]), (0, max(counts)))
    marks = []
    for (left, right), count in zip(
        itertools.pairwise(edges), counts, strict=True
    ):
        x, y = axes.x(left), axes.y(count)
        marks.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" '
            f'width="{max(axes.x(right) - x - 1, 0.5):.1f}" '
            f'height="{axes.y(0) - y:.1f}" {fill(0)}/>'
        )
    rows = [
        [f"{number(left)} to {number(right)}", str(count)]
        for (left, right), count in zip(
            itertools.pairwise(edges), counts, strict=True
        )
    ]
    frame = axes.frame(x_label, y_label)
    svg = document(title, description, [*frame, *marks])
    return figure(svg, [x_label, y_label], rows)


def _short(name: str) -> str:
    """Returns a name, of a long one its end, where names of runs differ."""
    if len(name) <= _MOST_LETTERS:
        return name
    return "…" + name[1 - _MOST_LETTERS :]


def bar_chart(
    title: str,
    series: Sequence[Series],
    x_label: str,
    description: str = "",
) -> str:
    """Draws horizontal bars: a group for each category, a bar per series.

    Args:
        title: What is shown.
        series: Their `xs` are the categories, which need not be the same.
        x_label: What the length of a bar says.
        description: What the picture says, for those who cannot see it.
    """
    categories = list(dict.fromkeys(str(x) for s in series for x in s.xs))
    values = [{str(x): (y, i) for x, y, i in s.points()} for s in series]
    ends = [e for s in series for _, y, i in s.points() for e in _ends(y, i)]
    if not ends:
        return _empty(title)
    group = _BAR * len(series) + 8
    legend = legend_of([s.name for s in series], lines=False)
    left = 12 + _LETTER * min(max(map(len, categories)), _MOST_LETTERS)
    bottom = TOP + legend.height + group * len(categories)
    axes = Axes(
        (min(0, *ends), max(0, *ends)),
        (0, 1),
        left=left,
        top=TOP + legend.height,
        bottom=bottom,
    )
    marks = axes.vertical_grid(x_label)
    for row, category in enumerate(categories):
        top = TOP + legend.height + group * row + 4
        middle = top + _BAR * len(series) / 2 + 4
        marks.append(text(left - 8, middle, _short(category), "end"))
        for index, cells in enumerate(values):
            y, interval = cells.get(category, (None, None))
            if y is None:
                continue
            start, end = sorted((axes.x(0), axes.x(y)))
            height = top + _BAR * index
            marks.append(
                f'<rect x="{start:.1f}" y="{height}" '
                f'width="{max(end - start, 0.5):.1f}" height="{_BAR - 2}" '
                f"{fill(index)}><title>"
                f"{escape(f'{series[index].name}, {category}: {number(y)}')}"
                "</title></rect>"
            )
            if interval:
                low, high = map(axes.x, interval)
                y = height + (_BAR - 2) / 2
                marks.append(segment(low, y, high, y))
    svg = document(title, description, [*legend.marks, *marks], bottom + BOTTOM)
    rows = [
        [c, *(_cell(*cells.get(c, (None, None))) for cells in values)]
        for c in categories
    ]
    return figure(svg, ["", *(s.name for s in series)], rows)


def _plane(title, series, x_label, y_label, description, lines: bool) -> str:
    xs = [x for s in series for x, y, _ in s.points() if y is not None]
    ys = [e for s in series for _, y, i in s.points() for e in _ends(y, i)]
    if not ys:
        return _empty(title)
    legend = legend_of([s.name for s in series], lines)
    axes = Axes((min(xs), max(xs)), (min(ys), max(ys)), top=TOP + legend.height)
    marks = axes.frame(x_label, y_label)
    for index, each in enumerate(series):
        if lines:
            marks.append(_path(index, each, axes))
        radius = 2 if len(each.ys) > 60 else 3
        for x, y, interval in each.points():
            if y is None:
                continue
            at, height = axes.x(x), axes.y(y)
            if interval:
                low, high = map(axes.y, interval)
                marks.append(segment(at, low, at, high))
            marks.append(
                f'<circle cx="{at:.1f}" cy="{height:.1f}" r="{radius}" '
                f"{fill(index)}/>"
            )
    svg = document(title, description, [*legend.marks, *marks])
    rows = [
        [each.name, number(x), _cell(y, interval)]
        for each in series
        for x, y, interval in each.points()
    ]
    return figure(svg, ["", x_label, y_label], rows)


def _path(index: int, series: Series, axes: Axes) -> str:
    """Returns a line that begins anew after each missing value."""
    steps, command = [], "M"
    for x, y, _ in series.points():
        if y is None:
            command = "M"
            continue
        steps.append(f"{command}{axes.x(x):.1f} {axes.y(y):.1f}")
        command = "L"
    return f'<path d="{" ".join(steps)}" {stroke(index)}/>'


def _empty(title: str) -> str:
    return f"<figure><strong>{escape(title)}</strong>: no values.</figure>"


def _ends(y: float | None, interval) -> tuple[float, ...]:
    return () if y is None else (y, *(interval or ()))


def _cell(y: float | None, interval) -> str:
    if y is None:
        return ""
    if not interval:
        return number(y)
    low, high = interval
    return f"{number(y)} ({number(low)} to {number(high)})"


def _finite(value) -> bool:
    return value is not None and math.isfinite(value)
