"""A table that the program has, in place of files: DataFrames and their kin."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tfrec.data.config import DataConfig
from tfrec.data.engine import Engine
from tfrec.data.sources.parquet import Parquet
from tfrec.data.sources.table import TableSource, check_column, roles
from tfrec.errors import InputError
from tfrec.unfinished import unfinished

_NAME = "the table"
_ROWS = 200_000
# What narrows a table to some columns before any is turned into Arrow.
_NARROWED = ("pandas", "polars", "ibis")


class FrameSource(TableSource):
    """A table, kept in a Parquet file for as long as it is read.

    Args:
        path: The Parquet file.
    """

    given = True

    def __init__(self, path: Path):
        super().__init__("csv")
        self._path = path

    def files(self, config: DataConfig) -> list[Path]:
        """Returns the Parquet file."""
        return [self._path]

    def raw(self, engine: Engine, config: DataConfig) -> Parquet:
        """Returns the table, as raw files that can name a row."""
        return Parquet([self._path], engine, _NAME)


@contextlib.contextmanager
def frame_source(table: Any, config: DataConfig) -> Iterator[FrameSource]:
    """Gives a source that reads a table.

    Args:
        table: A DataFrame of pandas or polars, a table of Arrow or Ibis, or
            what else has `__arrow_c_stream__`.
        config: Names the columns; of the dataset "csv", without `raw_dir`.

    Raises:
        InputError: If it is no table, lacks a column, or the settings say
            that something else is to be read.
    """
    if config.dataset != "csv" or config.raw_dir or config.raw_files:
        raise InputError(
            "A table is prepared with DataConfig(dataset='csv', ...) without "
            f"`raw_dir` and `raw_files`. Received: dataset={config.dataset!r}, "
            f"raw_dir={config.raw_dir!r}, raw_files={config.raw_files!r}."
        )
    if not config.on_this_machine:
        raise InputError(
            "A table is prepared on this machine. Received: "
            f"engine_url={config.engine_url!r}. Write it to Parquet files that "
            "all machines of the cluster see, and give these as `raw_dir`."
        )
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(unfinished(config.data_path))
        except OSError as error:
            raise InputError(
                f"Cannot write into {config.data_path.parent}: {error}. Give "
                "`data_dir` a folder that can be written."
            ) from error
        path = Path(folder, "table.parquet")
        _write(_stream(table, config), path)
        yield FrameSource(path)


def _stream(table: Any, config: DataConfig) -> Iterator[pa.RecordBatch]:
    """Yields the columns that are read, in batches."""
    if not hasattr(table, "__arrow_c_stream__"):
        raise InputError(
            "A table must be a DataFrame of pandas (2.2 or newer) or polars, "
            "or a table of Arrow or Ibis. Received: "
            f"{type(table).__module__}.{type(table).__name__}."
        )
    wanted = list(dict.fromkeys(roles(config).values()))
    narrowed = type(table).__module__.partition(".")[0] in _NARROWED
    if narrowed:
        _check_columns(table.columns, config)
        # A frame may name its columns by numbers.
        known = {str(name): name for name in table.columns}
        table = table[[known[name] for name in wanted]]
    try:
        reader = pa.RecordBatchReader.from_stream(table)
    except (pa.ArrowException, TypeError) as error:
        raise InputError(
            f"The columns {', '.join(wanted)} of {_NAME} must each hold values "
            f"of one type: {' '.join(map(str, error.args))}."
        ) from error
    if not narrowed:
        _check_columns(reader.schema.names, config)
    for batch in reader:
        yield batch.select(wanted)


def _check_columns(columns: Any, config: DataConfig) -> None:
    for role, name in roles(config).items():
        check_column(_NAME, map(str, columns), f"{role}_column", name)


def _write(batches: Iterator[pa.RecordBatch], path: Path) -> None:
    """Writes a table so that equal values give equal bytes.

    Its types and the sizes of its batches are those of no library.
    """
    writer = None
    try:
        for part in _even(batches):
            part = pa.table(
                {f.name: _plain_column(part[f.name]) for f in part.schema}
            ).combine_chunks()
            if writer is None:
                # The schema of Arrow would tell large strings from strings.
                writer = pq.ParquetWriter(path, part.schema, store_schema=False)
            writer.write_table(part, row_group_size=_ROWS)
    finally:
        if writer is not None:
            writer.close()
    if writer is None:
        raise InputError(f"{_NAME.capitalize()} has no rows.")


def _even(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Yields the rows in tables of one size, the last one smaller."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        held.append(batch)
        count += batch.num_rows
        while count >= _ROWS:
            table = pa.Table.from_batches(held)
            yield table.slice(0, _ROWS)
            held = table.slice(_ROWS).to_batches()
            count -= _ROWS
    if count:
        yield pa.Table.from_batches(held)


def _plain_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Returns a column with the type that it is kept with."""
    kind = _plain(column.type)
    if not pa.types.is_dictionary(column.type):
        # Nanoseconds are cut off.
        return column.cast(kind, safe=False)
    # Arrow casts not all of them.
    parts = [
        part.dictionary.cast(kind).take(part.indices) for part in column.chunks
    ]
    return pa.chunked_array(parts, kind)


def _plain(kind: pa.DataType) -> pa.DataType:
    """Returns the type that a column is kept with."""
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    if pa.types.is_null(kind) or any(
        is_text(kind)
        for is_text in (
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_string_view,
        )
    ):
        return pa.string()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz else None)
    return kind
