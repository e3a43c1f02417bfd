"""`csv`: any CSV or Parquet log with named columns."""

import re
from collections.abc import Iterable
from pathlib import Path

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from tfrec.data.config import DataConfig
from tfrec.data.engine import Engine
from tfrec.data.protocols import get_protocol
from tfrec.data.sources import times
from tfrec.data.sources.bad_rows import BadRows
from tfrec.data.sources.base import Log, Source
from tfrec.data.sources.delimited import Delimited
from tfrec.data.sources.fields import (
    RawFiles,
    reading,
    refuse_first,
    store_interactions,
)
from tfrec.data.sources.parquet import Parquet
from tfrec.data.sources.salvage import read_or_salvage
from tfrec.data.times import DAY, DAY_OF_SECONDS, warn_of_unit
from tfrec.errors import InputError, nearest_names

# How a time begins.
_DATE = "[0-9]{4}-[0-9]{2}"
_WHOLE = "[+-]?[0-9]"
# Rows with a time, to find the first: engines do not read in order.
_LOOKED_AT = 1000
_ENDINGS = (
    ".parquet",
    *(
        f".{kind}{end}"
        for kind in ("csv", "tsv")
        for end in ("", ".gz", ".zst")
    ),
)


class TableSource(Source):
    """A file, or a folder of files, whose columns the flags name.

    Times are numbers of any unit, or ISO dates and times; the first row that
    has a time decides which.
    """

    def files(self, config: DataConfig) -> list[Path]:
        """Returns the file, the folder's files, or those of the pattern."""
        path = config.raw_path
        if config.raw_files:
            return _matching(path, config.raw_files)
        if path.is_file():
            return [path]
        found = [
            [
                p
                for p in sorted(path.glob("*"))
                if p.name.endswith(ending) and p.is_file()
            ]
            for ending in _ENDINGS
        ]
        found = [paths for paths in found if paths]
        if len(found) == 1:
            return found[0]
        what = "several kinds of files" if found else "no such file"
        raise InputError(
            "`--raw_dir` must be a CSV or Parquet file, or a folder with files "
            f"of one of the kinds {', '.join(_ENDINGS)}. Received: {path}, "
            f"with {what}. `--raw_files` chooses files, of folders inside too."
        )

    def raw(self, engine: Engine, config: DataConfig) -> Delimited | Parquet:
        """Returns the raw files.

        Raises:
            InputError: If they are absent or of several kinds, or lack a
                column.
        """
        paths = self.files(config)
        if paths[0].suffix == ".parquet":
            raw = Parquet(paths, engine)
        else:
            raw = Delimited(paths, config.separator.replace("\\t", "\t"))
        for role, name in roles(config).items():
            check_column(paths[0], raw.columns, f"--{role}_column", name)
        return raw

    def read(self, engine: Engine, config: DataConfig) -> Log:
        """Returns the interactions, every record checked."""
        names = roles(config)
        self.bad_rows = BadRows(config)

        def stored(raw: Delimited | Parquet) -> Log:
            fields = raw.table(engine, names)
            with reading(engine, raw):
                kind = _kind(fields)
            if kind:
                _check_unit(config, kind)
            # Of a file without a time, as on a day without events.
            read_as = kind or "number"
            table = store_interactions(
                engine, fields, raw, self.bad_rows, read_as
            )
            if not kind and table.count().to_pyarrow().as_py():
                _check_unit(config, read_as)
            if kind == "iso":
                return Log(table, DAY, "iso")
            table, units = _with_fractions(table, raw)
            # None where the unit of numbers is not known.
            day = DAY_OF_SECONDS * config.timestamps_per_second * units or None
            if day:
                newest = table.timestamp.max().to_pyarrow().as_py()
                if newest is not None:
                    warn_of_unit(newest, day)
            return Log(table, day, "numbers" if units == 1 else "millionths")

        raw = self.raw(engine, config)
        return read_or_salvage(stored, raw, engine, self.bad_rows)


def _with_fractions(table: ir.Table, raw: RawFiles) -> tuple[ir.Table, int]:
    """Counts times in millionths, if one of them has a fraction.

    Returns:
        The table without `fraction`, and what it counts for 1 of the log.

    Raises:
        InputError: If one is too large for that.
    """
    if not table.fraction.max().to_pyarrow().as_py():
        return table.drop("fraction"), 1
    units = times.MICROSECONDS
    large = table.timestamp > times.MOST_SECONDS
    wanted = "a smaller timestamp, as others have a fraction"
    refuse_first(table, large.ifelse(wanted, ibis.null(dt.string)), raw)
    counted = table.timestamp * units + table.fraction
    return table.mutate(timestamp=counted).drop("fraction"), units


def _matching(folder: Path, pattern: str) -> list[Path]:
    """Returns the files below a folder that a pattern means, by name.

    Names that begin with . or _ are those of Hadoop and editors, not of logs.

    Raises:
        InputError: If there are none, or they are of several kinds.
    """
    try:
        found = sorted(
            path
            for path in folder.glob(pattern)
            if path.is_file() and not path.name.startswith((".", "_"))
        )
    except (NotImplementedError, ValueError, IndexError) as error:
        raise InputError(
            "`--raw_files` must be a pattern of paths below `--raw_dir`, such "
            f"as */*.parquet. Received: {pattern!r}: {error}."
        ) from error
    if len({path.suffix == ".parquet" for path in found}) == 1:
        return found
    what = "Parquet and other files" if found else "no file"
    raise InputError(
        "`--raw_files` must match CSV files or Parquet files below "
        f"`--raw_dir`. Received: {pattern!r}, with {what} below {folder}."
    )


def roles(config: DataConfig) -> dict[str, str]:
    """Returns the columns that are read, by what they are."""
    names = {
        "sequence": config.sequence_column,
        "item": config.item_column,
        "timestamp": config.timestamp_column,
    }
    if config.rating_column:
        names["rating"] = config.rating_column
    return names


def check_column(
    place: str | Path, columns: Iterable[str], flag: str, name: str
) -> None:
    """Raises unless a log has a column of a name, once.

    Args:
        place: The log.
        columns: Its columns.
        flag: The setting that gives the name.
        name: The name.

    Raises:
        InputError: Naming the columns that there are.
    """
    columns = list(columns)
    if columns.count(name) == 1:
        return
    hint = nearest_names(name, columns)
    if len(columns) == 1:
        hint = " Is `--separator` right?"
    shown = ", ".join(repr(column[:40]) for column in columns[:40])
    raise InputError(
        f"`{flag}` must be a column of {place}, which has {shown}. Received: "
        f"{name!r}.{hint}"
    )


def _check_unit(config: DataConfig, kind: str) -> None:
    """Raises if it is not known what numbers count, or is said of ISO times."""
    given = config.timestamps_per_second
    expected = ""
    if kind == "iso" and given:
        expected = "0 where times are ISO dates and times"
    elif kind == "number" and not given and get_protocol(config).dates:
        expected = (
            "the number that times count in a second, with "
            f"--protocol={config.protocol}"
        )
    if expected:
        raise InputError(
            f"`--timestamps_per_second` must be {expected}. Received: {given}."
        )


def _kind(fields: ir.Table) -> str:
    """Returns "iso" or "number": what the first time is; "" if none is one."""
    kind = fields.timestamp.type()
    if not kind.is_string():
        return "number" if kind.is_numeric() else "iso"
    first = fields.select("timestamp", "position")
    # Most text that is no time is neither.
    first = first.filter(
        first.timestamp.re_search(rf"^ *({_DATE}|{_WHOLE})")
    ).limit(_LOOKED_AT)
    for row in first.order_by("position").to_pyarrow().to_pylist():
        date = re.match(_DATE, row["timestamp"].strip())
        return "iso" if date else "number"
    return ""
