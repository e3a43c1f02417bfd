"""What charts are drawn with: axes, ticks, legends and marks of SVG.

Positions are in pixels from the upper left corner. Colours follow the page:
lines and text have its colour, and series have variables of CSS.
"""

import dataclasses
import math
from collections.abc import Sequence

from tfrec.web_page import escape, table

WIDTH, HEIGHT = 640, 340
LEFT, RIGHT, TOP, BOTTOM = 70, 16, 40, 46
# The colours of Okabe and Ito, which colour-blind people can tell apart. The
# black one is that of the text.
_COLOURS = ("0072b2", "d55e00", "009e73", "cc79a7", "56b4e9", "e69f00")
_DASHES = ("", "7 3", "2 3", "9 3 2 3")


class Axes:
    """Where values stand in the picture, and the lines that say so."""

    def __init__(
        self,
        xs: tuple[float, float],
        ys: tuple[float, float],
        left: float = LEFT,
        top: float = TOP,
        bottom: float = HEIGHT - BOTTOM,
    ):
        self.x_ticks, self.y_ticks = ticks(*xs), ticks(*ys)
        self.left, self.top, self.bottom = left, top, bottom

    def x(self, value: float) -> float:
        """Returns where a value stands from the left."""
        low, high = self.x_ticks[0], self.x_ticks[-1]
        width = WIDTH - RIGHT - self.left
        return self.left + (value - low) / (high - low) * width

    def y(self, value: float) -> float:
        """Returns where a value stands from above."""
        low, high = self.y_ticks[0], self.y_ticks[-1]
        height = self.bottom - self.top
        return self.bottom - (value - low) / (high - low) * height

    def vertical_grid(self, label: str) -> list[str]:
        """Returns the lines of the horizontal axis, its numbers and label."""
        marks = []
        for tick in self.x_ticks:
            x = self.x(tick)
            marks += [
                segment(x, self.top, x, self.bottom, faint=True),
                text(x, self.bottom + 16, number(tick), "middle"),
            ]
        middle = (self.left + WIDTH - RIGHT) / 2
        return [*marks, text(middle, self.bottom + 36, label, "middle")]

    def frame(self, x_label: str, y_label: str) -> list[str]:
        """Returns the lines, numbers and labels of both axes."""
        marks = self.vertical_grid(x_label)
        for tick in self.y_ticks:
            y, right = self.y(tick), WIDTH - RIGHT
            marks += [
                segment(self.left, y, right, y, faint=True),
                text(self.left - 6, y + 4, number(tick), "end"),
            ]
        middle = (self.top + self.bottom) / 2
        turn = f' transform="rotate(-90 14 {middle:.1f})"'
        return [*marks, text(14, middle, y_label, "middle", turn)]


@dataclasses.dataclass
class Legend:
    """A legend, and how many pixels high it is."""

    marks: list[str]
    height: int


def legend_of(names: Sequence[str], lines: bool) -> Legend:
    """Returns a sample and the name of each series, in rows; none for one."""
    if len(names) == 1:
        return Legend([], 0)
    marks, x, y = [], 16, TOP + 4
    for index, name in enumerate(names):
        width = 44 + 8 * len(name)
        if x > 16 and x + width > WIDTH:
            x, y = 16, y + 18
        if lines:
            marks.append(f'<path d="M{x} {y}h22" {stroke(index)}/>')
        else:
            marks.append(
                f'<rect x="{x + 6}" y="{y - 5}" width="10" height="10" '
                f"{fill(index)}/>"
            )
        marks.append(text(x + 28, y + 4, name, "start"))
        x += width
    return Legend(marks, y - TOP + 14)


def ticks(low: float, high: float) -> list[float]:
    """Returns round numbers, at most nine, from below `low` to above `high`."""
    if low == high:
        low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    rough = (high - low) / 6
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [step * i for i in range(first, last + 1)]


def document(title, description, marks, height: float = HEIGHT) -> str:
    """Returns a whole picture: its name, a description, and the marks."""
    hint = f"<desc>{escape(description)}</desc>" if description else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{WIDTH}" '
        f'height="{height:.0f}" viewBox="0 0 {WIDTH} {height:.0f}" '
        'fill="currentColor" font-family="system-ui, sans-serif" '
        'font-size="12">'
        f"<title>{escape(title)}</title>{hint}"
        '<text font-size="14" font-weight="600" x="16" y="20">'
        f"{escape(title)}</text>"
        f"{''.join(marks)}</svg>"
    )


def figure(svg: str, head: Sequence[str], rows: Sequence[Sequence]) -> str:
    """Returns a picture, and a folded table of its numbers."""
    return (
        f"<figure>{svg}<details><summary>Numbers</summary><div>"
        f"{table(head, rows)}</div></details></figure>"
    )


def text(x, y, text: str, anchor: str, more: str = "") -> str:
    """Returns words; `anchor` is what of them stands at x."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>'
        f"{escape(text)}</text>"
    )


def segment(x1, y1, x2, y2, faint: bool = False) -> str:
    """Returns a straight line."""
    style = 'stroke-opacity=".15"' if faint else 'stroke-width="1.5"'
    return (
        f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" '
        f'stroke="currentColor" {style}/>'
    )


def colour(index: int) -> str:
    """Returns the colour of a series: a variable that a page may set."""
    index %= len(_COLOURS) + 1
    if index == len(_COLOURS):
        return "currentColor"
    return f"var(--series-{index}, #{_COLOURS[index]})"


def fill(index: int) -> str:
    """Returns the attributes of what a series fills."""
    return f'style="fill:{colour(index)}" fill-opacity=".8"'


def stroke(index: int) -> str:
    """Returns the attributes of the line of a series."""
    dashes = _DASHES[index % len(_DASHES)]
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        f'style="stroke:{colour(index)}" fill="none" stroke-width="2"{dashed}'
    )


def number(value) -> str:
    """Returns five digits of a number, all of a whole one; text as it is."""
    if isinstance(value, str):
        return value
    if value == int(value) and abs(value) < 1e9:
        return str(int(value))
    return f"{value:.5g}"
