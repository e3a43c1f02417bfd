"""Draws docs/anatomy.png: the way of the data, and a model with a latent.

    python docs/anatomy.py

The background is transparent, and text outside of boxes is of a grey that can
be read on white and on black. Needs matplotlib (`pip install '.[dev]'`).
"""

import itertools
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

PICTURE = Path(__file__).with_name("anatomy.png")
_INK = "#1f2933"
# Readable on white and on black.
_GREY = "#7d8896"
_DATA, _COMMAND, _LAYER, _TERM = "#d9e2ec", "#ffd9a8", "#bfdcf5", "#cdebd0"
_HEIGHT = 0.86


def box(
    axes: Axes,
    center: tuple[float, float],
    width: float,
    color: str,
    title: str,
    text: str = "",
) -> None:
    """Draws a box with a title and, below it, smaller lines."""
    x, y = center
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - _HEIGHT / 2),
            width,
            _HEIGHT,
            boxstyle="round,pad=0,rounding_size=0.1",
            facecolor=color,
            edgecolor=_GREY,
            linewidth=1,
        )
    )
    raised = 0.2 if text else 0
    style = {"ha": "center", "va": "center_baseline", "color": _INK}
    axes.text(x, y + raised, title, fontsize=10.5, weight="bold", **style)
    for place, line in enumerate(text.splitlines()):
        axes.text(x, y - 0.05 - 0.2 * place, line, fontsize=8.5, **style)


def arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float]
) -> None:
    """Draws an arrow between two points."""
    axes.annotate(
        "",
        end,
        start,
        arrowprops={
            "arrowstyle": "-|>",
            "color": _GREY,
            "linewidth": 1.4,
            "shrinkA": 3,
            "shrinkB": 3,
            "mutation_scale": 12,
        },
    )


def row(axes: Axes, y: float, boxes: list[tuple[str, str, str]]) -> list[float]:
    """Draws boxes from left to right, with arrows between.

    Returns:
        The center of each.
    """
    width, pitch = 1.72, 2.14
    centers = [width / 2 + pitch * place for place in range(len(boxes))]
    for x, (color, title, text) in zip(centers, boxes, strict=True):
        box(axes, (x, y), width, color, title, text)
    for left, right in itertools.pairwise(centers):
        arrow(axes, (left + width / 2, y), (right - width / 2, y))
    return centers


def label(axes: Axes, y: float, text: str) -> None:
    """Writes what a row shows."""
    axes.text(
        0, y, text, fontsize=10, color=_GREY, style="italic", linespacing=1.3
    )


def draw() -> Figure:
    """Returns the picture."""
    figure = Figure(figsize=(10.6, 4.2))
    axes = figure.add_axes((0.01, 0.01, 0.98, 0.98))
    axes.set_xlim(-0.05, 12.5)
    axes.set_ylim(-0.2, 4.75)
    axes.axis("off")

    label(axes, 4.48, "From a log to an answer")
    row(
        axes,
        3.83,
        [
            (_DATA, "log", "ratings or clicks:\nCSV, Parquet, JSON"),
            (_COMMAND, "prepare", "filter, split, write\nTFRecords"),
            (_COMMAND, "train", "resume, validate,\nTensorBoard"),
            (_COMMAND, "evaluate", "rank all items,\ntest once"),
            (_COMMAND, "export", "SavedModel,\nverified"),
            (_COMMAND, "serve", "gRPC and REST,\nTensorFlow Serving"),
        ],
    )
    label(axes, 2.75, "Inside a model with a latent")
    y = 2.1
    centers = row(
        axes,
        y,
        [
            (_DATA, "history", "items, the oldest\nfirst"),
            (_LAYER, "embedding", "one vector\nfor each item"),
            (_LAYER, "encoder", "GRU, attention,\nconvolution"),
            (_LAYER, "posterior", "Gaussian, flow\nor implicit"),
            (_LAYER, "decoder", "softmax, full\nor sampled"),
            (_DATA, "scores", "log-probability\nof each item"),
        ],
    )
    middle = centers[3]
    axes.text(
        (middle + centers[4]) / 2,
        y + 0.14,
        "z",
        fontsize=11,
        color=_GREY,
        ha="center",
        style="italic",
    )
    low = 0.35
    box(
        axes,
        (middle, low),
        2.9,
        _TERM,
        "KL to the prior",
        "closed form, log-determinants\nof the flows, or an adversary T",
    )
    box(
        axes,
        (centers[1] + 0.7, low),
        2.9,
        _TERM,
        "contrast between users",
        "a critic G tells a user's z\nfrom that of another",
    )
    box(
        axes,
        (centers[5] - 0.3, low),
        2.3,
        _TERM,
        "reconstruction",
        "the next items, or the\nset of the next n",
    )
    bottom, top = y - _HEIGHT / 2, low + _HEIGHT / 2
    arrow(axes, (middle, bottom), (middle, top))
    arrow(axes, (middle - 0.5, bottom), (centers[1] + 1.6, top))
    arrow(axes, (centers[5], bottom), (centers[5], top))
    label(axes, low - 0.15, "The terms of\nits objective")
    return figure


if __name__ == "__main__":
    draw().savefig(PICTURE, dpi=120, transparent=True)
