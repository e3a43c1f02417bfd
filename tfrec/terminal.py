"""Colours, where a person reads them: on a terminal that may have some."""

import os
from typing import TextIO

_CODES = {"bold": "1", "green": "32", "red": "31", "yellow": "33"}


def painted(text: str, style: str, stream: TextIO) -> str:
    """Returns a text in a colour, or as it is where colours have no place.

    They have a place on a terminal that is not dumb, unless the environment
    has a NO_COLOR that is not empty (no-color.org).

    Args:
        text: What is written.
        style: "bold", "green", "red" or "yellow".
        stream: Where it is written.
    """
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    if not stream.isatty():
        return text
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m"
