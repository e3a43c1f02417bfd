"""`csv`: any CSV or Parquet log with named columns."""

from collections.abc import Iterable
from pathlib import Path

import ibis.expr.types as ir

from tfrec.data.config import DataConfig
from tfrec.data.engine import Engine
from tfrec.data.protocols import get_protocol
from tfrec.data.sources.base import Log, Source
from tfrec.data.sources.delimited import Delimited
from tfrec.data.sources.fields import reading, store_interactions
from tfrec.data.sources.parquet import Parquet
from tfrec.data.times import DAY, DAY_OF_SECONDS
from tfrec.errors import InputError, nearest_names

_ENDINGS = (".parquet", ".csv", ".csv.gz", ".tsv", ".tsv.gz")


class TableSource(Source):
    """A file, or a folder of files, whose columns the flags name.

    Times are integers of any unit, or ISO dates and times in UTC; the first
    row decides which.
    """

    def files(self, config: DataConfig) -> list[Path]:
        """Returns the file, or the folder's files by name."""
        path = config.raw_path
        if path.is_file():
            return [path]
        found = [
            [p for p in sorted(path.glob("*")) if p.name.endswith(ending)]
            for ending in _ENDINGS
        ]
        found = [paths for paths in found if paths]
        if len(found) == 1:
            return found[0]
        what = "several kinds of files" if found else "no such file"
        raise InputError(
            "`--raw_dir` must be a CSV or Parquet file, or a folder with files "
            f"of one of the kinds {', '.join(_ENDINGS)}. Received: {path}, "
            f"with {what}."
        )

    def read(self, engine: Engine, config: DataConfig) -> Log:
        """Returns the interactions, every record checked."""
        paths = self.files(config)
        names = {
            "sequence": config.sequence_column,
            "item": config.item_column,
            "timestamp": config.timestamp_column,
        }
        if config.rating_column:
            names["rating"] = config.rating_column
        if paths[0].suffix == ".parquet":
            raw = Parquet(paths, engine)
        else:
            raw = Delimited(paths, config.separator.replace("\\t", "\t"))
        for role, name in names.items():
            _check_column(paths[0], raw.columns, f"--{role}_column", name)
        fields = raw.table(engine, names)
        with reading(engine, raw):
            times = _times(fields)
        _check_unit(config, times)
        table = store_interactions(engine, fields, raw, times)
        if times == "iso":
            return Log(table, DAY)
        # None where nobody told what integers count.
        return Log(table, config.timestamps_per_second * DAY_OF_SECONDS or None)


def _check_column(
    path: Path, columns: Iterable[str], flag: str, name: str
) -> None:
    columns = list(columns)
    if columns.count(name) == 1:
        return
    hint = nearest_names(name, columns)
    if len(columns) == 1:
        hint = " Is `--separator` right?"
    shown = ", ".join(repr(column[:40]) for column in columns[:40])
    raise InputError(
        f"`{flag}` must be a column of {path}, which has {shown}. Received: "
        f"{name!r}.{hint}"
    )


def _check_unit(config: DataConfig, times: str) -> None:
    """Raises if it is not known what integer times count, or is said of ISO."""
    given = config.timestamps_per_second
    expected = ""
    if times == "iso" and given:
        expected = "0 where times are ISO dates and times"
    elif times == "integer" and not given and get_protocol(config).dates:
        expected = (
            "the number that integers count in a second, with "
            f"--protocol={config.protocol}"
        )
    if expected:
        raise InputError(
            f"`--timestamps_per_second` must be {expected}. Received: {given}."
        )


def _times(fields: ir.Table) -> str:
    """Returns "iso" if the first row's time is a text with a dash inside."""
    kind = fields.timestamp.type()
    if not kind.is_string():
        return "integer" if kind.is_numeric() else "iso"
    for row in fields.limit(1).to_pyarrow().to_pylist():
        if "-" in (row["timestamp"] or "").strip()[1:]:
            return "iso"
    return "integer"
