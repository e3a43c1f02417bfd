"""What a raw dataset format provides to the preparation."""

import abc
from pathlib import Path
from typing import NamedTuple

import ibis.expr.types as ir

from tfrec.data.config import DataConfig
from tfrec.data.engine import Engine
from tfrec.data.manifest import Manifest
from tfrec.data.sources.bad_rows import BadRows


class Log(NamedTuple):
    """A raw log, read and checked.

    Attributes:
        table: Columns `sequence` string, `item` string, `timestamp` int64
            (>= 0), `position` int64 (place in the raw log, unique), and
            `rating` float64 where the log has ratings. `held_out` boolean, one
            value for each sequence, where the log says which sequences are
            the test. Rows in any order.
        day: What `timestamp` counts in a day; None if it is no time, or one
            whose unit is not known.
        clock: What `timestamp` is, where that depends on what the files hold:
            "iso", microseconds of dates and times; "numbers"; or "millionths"
            of numbers, of which one has a fraction.
    """

    table: ir.Table
    day: int | None
    clock: str = ""


class Source(abc.ABC):
    """One raw dataset format, read as one table of interactions.

    Attributes:
        name: The value of `--dataset`.
        bad_rows: Which rows `read` has skipped.
        given: Whether it is a table that was given, and not raw files.
    """

    name: str
    given = False

    def __init__(self, name: str):
        self.name = name
        self.bad_rows = BadRows()

    def fetch(self, config: DataConfig) -> None:  # noqa: B027
        """Downloads the raw files where they are absent and public."""

    @abc.abstractmethod
    def files(self, config: DataConfig) -> list[Path]:
        """Returns the raw files of interactions; none if generated.

        Raises:
            InputError: If one is absent: which file to put where.
        """

    def title_files(self, config: DataConfig) -> list[Path]:
        """Returns the raw files of titles; none if there are none."""
        return []

    @abc.abstractmethod
    def read(self, engine: Engine, config: DataConfig) -> Log:
        """Reads the interactions, every line checked.

        Raises:
            InputError: If the raw files are malformed: file, line, what was
                expected and what stands there.
        """

    def titles(self, engine: Engine, config: DataConfig) -> ir.Table | None:
        """Returns a table of strings, or None.

        Its columns are `item`, `title`, and more that are known of items.
        """
        return None

    def completed(self, manifest: Manifest) -> Manifest:
        """Returns a manifest of what was read with all that it has to say."""
        return manifest
