"""The engine of preparation: DuckDB behind Ibis, working out of core."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa

from tfrec.data.config import DataConfig
from tfrec.errors import InputError


@contextlib.contextmanager
def connect(config: DataConfig, folder: Path) -> Iterator[ibis.BaseBackend]:
    """Opens an engine whose tables and spilled data live in a folder.

    Args:
        config: Gives the memory limit and the threads.
        folder: An existing folder on a disk with room for the log.

    Raises:
        InputError: On leaving, if the engine ran out of memory or disk.
    """
    options = {
        "memory_limit": config.memory_limit,
        "temp_directory": str(folder / "spill"),
    }
    if config.threads:
        options["threads"] = config.threads
    connection = None
    try:
        connection = ibis.duckdb.connect(folder / "log.duckdb", **options)
        yield connection
    except duckdb.OutOfMemoryException as error:
        raise InputError(
            "The preparation needs more memory than `--memory_limit`"
            f"={config.memory_limit}, or more disk to spill to than there is "
            f"beside {config.data_path}: {_first_line(error)}."
        ) from error
    except (duckdb.OperationalError, duckdb.FatalException) as error:
        raise InputError(
            "Cannot read the raw files or write beside "
            f"{config.data_path}: {_first_line(error)}. Give `--data_dir` a "
            "folder that can be written, on a disk with space left."
        ) from error
    finally:
        if connection is not None:
            # After a failure to write, closing fails as well.
            with contextlib.suppress(duckdb.Error):
                connection.disconnect()


def stream(
    connection: ibis.BaseBackend, table: ir.Table, rows: int
) -> Iterator[pa.RecordBatch]:
    """Yields the rows of a table in Arrow batches, without holding them.

    Args:
        connection: The engine.
        table: What to read.
        rows: Rows in a batch.
    """
    # `Table.to_pyarrow_batches` of Ibis 12 calls what DuckDB 2 removed.
    query = str(ibis.to_sql(table, dialect="duckdb"))
    yield from connection.con.sql(query).to_arrow_reader(rows)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
