"""The log of a prepared dataset, as it was read: later files are added to it.

It is kept before any filter, so that filters, vocabulary and splits can be made
anew from it and from what came later.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq

from tfrec.data.engine import PLACE, Engine
from tfrec.data.sources.base import Log
from tfrec.integrity import file_checksum

LOG = "log.parquet"
TITLES = "log-titles.parquet"
_BATCH_ROWS = 200_000
# Most differ little from the one before.
_NUMBERS = ("timestamp", "position")


def write_log(
    engine: Engine, log: Log, titles: ir.Table | None, folder: Path
) -> dict[str, Any]:
    """Writes a log, and all titles that came with it.

    Args:
        engine: Has both.
        log: What `Source.read` returned.
        titles: What `Source.titles` returned.
        folder: An existing folder.

    Returns:
        What a manifest says of it: `files`, {file, bytes, sha256} of each;
        `clock` and `day`, see `Log`.
    """
    tables = {LOG: log.table}
    if titles is not None:
        tables[TITLES] = titles
    files = []
    for name, table in tables.items():
        path = folder / name
        batches = engine.stream(table, _BATCH_ROWS)
        _write(batches, table.schema().to_pyarrow(), path)
        size = path.stat().st_size
        checksum = file_checksum(path)
        files.append({"file": name, "bytes": size, "sha256": checksum})
    return {"files": files, "clock": log.clock, "day": log.day}


def read_log(engine: Engine, folder: Path, held: dict[str, Any]) -> Log:
    """Reads the log of a prepared dataset.

    Args:
        engine: What reads it.
        folder: Of the dataset.
        held: What `write_log` returned.
    """
    return Log(_read(engine, folder / LOG), held["day"], held["clock"])


def read_titles(
    engine: Engine, folder: Path, held: dict[str, Any]
) -> ir.Table | None:
    """Reads the titles that came with it, as `Source.titles` returned them."""
    if TITLES not in [file["file"] for file in held["files"]]:
        return None
    return _read(engine, folder / TITLES)


def _read(engine: Engine, path: Path) -> ir.Table:
    return engine.parquet([path]).drop(PLACE)


def _write(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path
) -> None:
    numbers = [name for name in _NUMBERS if name in schema.names]
    with pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        use_dictionary=[n for n in schema.names if n not in numbers],
        column_encoding=dict.fromkeys(numbers, "DELTA_BINARY_PACKED"),
        store_schema=False,
    ) as writer:
        for batch in batches:
            writer.write_table(pa.Table.from_batches([batch]).cast(schema))
