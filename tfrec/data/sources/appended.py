"""The kept log of a prepared dataset, and raw files that came later."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from tfrec.data.config import DataConfig
from tfrec.data.engine import Engine
from tfrec.data.kept_log import read_log, read_titles
from tfrec.data.manifest import Manifest
from tfrec.data.sources import times
from tfrec.data.sources.bad_rows import merged
from tfrec.data.sources.base import Log, Source
from tfrec.errors import InputError

_CLOCKS = {
    "iso": "ISO dates or times",
    "numbers": "numbers",
    "millionths": "numbers",
}


class AppendedSource(Source):
    """Reads the kept log in place of the raw files that it was read from.

    Args:
        source: Reads the files that came later.
        folder: The prepared dataset.
        held: Its manifest.
    """

    def __init__(self, source: Source, folder: Path, held: Manifest):
        super().__init__(source.name)
        self._source = source
        self._folder = folder
        self._held = held

    def files(self, config: DataConfig) -> list[Path]:
        """Returns the files that came later."""
        return self._source.files(config)

    def title_files(self, config: DataConfig) -> list[Path]:
        """Returns those of titles that came later."""
        return self._source.title_files(config)

    def read(self, engine: Engine, config: DataConfig) -> Log:
        """Returns both logs as one; the rows of the files come after."""
        if engine.folder is None:
            raise InputError(
                f"`--append` reads {self._folder} on this machine. Received: "
                "--engine=pyspark on a cluster. Use `--engine=duckdb`, which "
                "prepares the same dataset."
            )
        new = self._source.read(engine, config)
        self.bad_rows = self._source.bad_rows
        old = read_log(engine, self._folder, self._held.log)
        old, new = self._on_one_clock(old, new, config)
        first = old.table.position.max().to_pyarrow().as_py() + 1
        later = new.table.mutate(position=new.table.position + first)
        names = old.table.columns
        table = _selected(old.table, names).union(_selected(later, names))
        return old._replace(table=engine.store("whole_log", table))

    def titles(self, engine: Engine, config: DataConfig) -> ir.Table | None:
        """Returns the titles of both."""
        both = (
            read_titles(engine, self._folder, self._held.log),
            self._source.titles(engine, config),
        )
        found = [titles for titles in both if titles is not None]
        if len(found) < 2:
            return found[0] if found else None
        names = dict.fromkeys(name for each in found for name in each.columns)
        old, new = (_selected(each, names) for each in found)
        return old.union(new, distinct=True)

    def completed(self, manifest: Manifest) -> Manifest:
        """Adds what the manifest of the prepared dataset says of its files."""
        held = self._held
        return dataclasses.replace(
            manifest,
            raw_files=[*held.raw_files, *manifest.raw_files],
            bad_rows=merged(
                (held.bad_rows, manifest.bad_rows),
                manifest.counts[0]["interactions"],
            ),
            appended_to=str(self._folder),
        )

    def _on_one_clock(
        self, old: Log, new: Log, config: DataConfig
    ) -> tuple[Log, Log]:
        """Lets the times of both logs count the same.

        Raises:
            InputError: If they cannot, or one is too large for it.
        """
        if old.clock == new.clock:
            return old, new
        if not new.table.count().to_pyarrow().as_py():
            # Without a row, nothing shows what its times are.
            return old, old._replace(table=new.table)
        if "iso" in (old.clock, new.clock):
            raise InputError(
                f"The files of `--raw_dir` ({config.raw_dir or 'the table'}) "
                f"must have times as the log of {self._folder}: "
                f"{_CLOCKS[old.clock]}. Received: {_CLOCKS[new.clock]}."
            )
        if old.clock == "numbers":
            return _in_millionths(old, str(self._folder)), new
        return old, _in_millionths(new, config.raw_dir)


def _selected(table: ir.Table, names: Iterable[str]) -> ir.Table:
    """Returns columns, null texts where there are none, for a union.

    Engines differ in which columns they know to have no nulls.
    """
    columns = {}
    for name in names:
        column = ibis.null(dt.string)
        if name in table.columns:
            column = table[name].cast(table[name].type()(nullable=True))
        columns[name] = column
    return table.select(**columns)


def _in_millionths(log: Log, place: str) -> Log:
    """Counts times that are numbers in millionths."""
    latest = log.table.timestamp.max().to_pyarrow().as_py()
    if latest > times.MOST_SECONDS:
        raise InputError(
            f"{place}: expected smaller timestamps, as others have a "
            f"fraction. Received: {latest}."
        )
    units = times.MICROSECONDS
    table = log.table.mutate(timestamp=log.table.timestamp * units)
    return Log(table, log.day and log.day * units, "millionths")
