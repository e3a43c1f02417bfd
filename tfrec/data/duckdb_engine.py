"""DuckDB, the default engine: on this machine, out of core."""

import contextlib
import glob
import itertools
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import duckdb
import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pyarrow as pa

from tfrec.data.config import DataConfig
from tfrec.data.engine import PLACE, Engine
from tfrec.data.sources.text import MAX_LINE_BYTES, opened
from tfrec.errors import InputError

# One field for the whole line: a separator that no text file contains.
_NO_SEPARATOR = "\x01\x02\x03\x04"

# Below it numbers of a type tell each whole number from the next.
_EXACT = {dt.float16: 2**11, dt.float32: 2**24, dt.float64: 2**53}

# Memory and disks.
_NO_ROOM = (duckdb.OperationalError, duckdb.FatalException)
_WRONG_QUERIES = (
    duckdb.ParserException,
    duckdb.BinderException,
    duckdb.CatalogException,
)


@contextlib.contextmanager
def connect(config: DataConfig, folder: Path) -> Iterator["DuckDBEngine"]:
    """Opens DuckDB, its tables and spilled data in a folder.

    Args:
        config: Gives the memory limit and the threads.
        folder: An existing folder on a disk with room for the log.

    Raises:
        InputError: On leaving, if DuckDB ran out of memory or disk.
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
        yield DuckDBEngine(connection, folder)
    except duckdb.OutOfMemoryException as error:
        raise InputError(
            "The preparation needs more memory than `--memory_limit`"
            f"={config.memory_limit}, or more disk to spill to than there is "
            f"beside {config.data_path}: {_first_line(error)}."
        ) from error
    except _NO_ROOM as error:
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


class DuckDBEngine(Engine):
    """DuckDB behind Ibis.

    Args:
        connection: An open connection.
        folder: See base class.
    """

    # Damaged Parquet raises several, and the base of all.
    read_errors = (duckdb.Error,)
    minds_line_ends = True

    def __init__(
        self, connection: ibis.BaseBackend, folder: Path | None = None
    ):
        self.connection = connection
        self.folder = folder
        # Of the machine otherwise; times with a zone become times of it.
        connection.raw_sql("SET TimeZone = 'UTC'")

    def reason(self, error: Exception) -> str:
        lines = str(error).partition("\nPossible")[0].split("\n")
        return "\n".join(line[:200] for line in lines)

    def blames_files(self, error: Exception) -> bool:
        return not isinstance(error, (*_NO_ROOM, *_WRONG_QUERIES))

    def store(self, name: str, table: ir.Table) -> ir.Table:
        # What is left of a try that failed.
        self.connection.raw_sql(f"DROP TABLE IF EXISTS {name}")
        return self.connection.create_table(name, table)

    def load(self, name: str, table: pa.Table) -> ir.Table:
        return self.connection.create_table(name, ibis.memtable(table))

    def stream(self, table: ir.Table, rows: int) -> Iterator[pa.RecordBatch]:
        # `Table.to_pyarrow_batches` of Ibis 12 calls what DuckDB 2 removed.
        query = str(ibis.to_sql(table, dialect="duckdb"))
        yield from self.connection.con.sql(query).to_arrow_reader(rows)

    def lines(self, path: Path, encoding: str) -> ir.Table:
        with opened(path) as file:
            first = file.readline(MAX_LINE_BYTES)
        end = r"\r\n" if first.endswith(b"\r\n") else r"\n"
        return self.connection.sql(
            "SELECT row_number() OVER () - 1 AS position, line FROM read_csv("
            f"{_sql_file(path)}, columns={{'line': 'VARCHAR'}}, "
            f"delim={_sql_text(_NO_SEPARATOR)}, header=false, quote='', "
            f"escape='', auto_detect=false, strict_mode=false, "
            f"encoding={_sql_text(encoding)}, new_line='{end}', "
            f"max_line_size={MAX_LINE_BYTES})",
            schema={"position": "int64", "line": "string"},
        )

    def delimited(
        self,
        paths: Sequence[Path],
        separator: str,
        width: int,
        headers: Sequence[int],
        chosen: Mapping[str, int],
    ) -> ir.Table:
        # Numbered names, because those of a header can be anything.
        kinds = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(width))
        fields = ", ".join(
            f"c{place} AS {name}" for name, place in chosen.items()
        )
        # Files at a time that have as many lines to skip.
        blanks = headers or [0] * len(paths)
        parts = [
            f"SELECT * FROM read_csv([{_sql_files(p for p, _ in part)}], "
            f"columns={{{kinds}}}, header={str(bool(headers)).lower()}, "
            f"skip={skipped}, "
            f"delim={_sql_text(separator)}, quote='\"', escape='\"', "
            "auto_detect=false, strict_mode=true)"
            for skipped, part in itertools.groupby(
                zip(paths, blanks, strict=True), key=operator.itemgetter(1)
            )
        ]
        return self.connection.sql(
            f"SELECT row_number() OVER () - 1 AS position, {fields} "
            f"FROM ({' UNION ALL '.join(parts)})",
            schema={"position": "int64"} | dict.fromkeys(chosen, "string"),
        )

    def parquet_schema(self, path: Path) -> ibis.Schema:
        try:
            table = self.connection.read_parquet(
                _literal(path), hive_partitioning=False
            )
            return table.schema()
        except duckdb.Error as error:
            raise InputError(
                f"{path} cannot be read as Parquet: {_first_line(error)}"
            ) from error

    def parquet(self, paths: Sequence[Path]) -> ir.Table:
        return self.connection.sql(
            f"SELECT row_number() OVER () - 1 AS {PLACE}, * "
            f"FROM ({_sql_parquet(paths)})",
            schema={PLACE: "int64", **self.parquet_schema(paths[0])},
        )

    def text(self, column: ir.Column) -> ir.StringValue:
        if not column.type().is_floating():
            return column.cast("string")
        # As pandas writes whole numbers of which one is missing.
        number = column.try_cast("int64")
        most = _EXACT[column.type()]
        whole = number.cast(column.type()) == column
        whole &= (-most < number) & (number < most)
        text = number.cast("string")
        return whole.fill_null(False).ifelse(text, ibis.null("string"))

    def is_json(self, text: ir.StringValue) -> ir.BooleanValue:
        return json_valid(text)

    def json_member(self, text: ir.StringValue, name: str) -> ir.StringValue:
        return json_extract_string(text, f"$.{name}")


@ibis.udf.scalar.builtin
def json_extract_string(document: str, path: str) -> str:
    """DuckDB's: the text of a member, whatever its type."""


@ibis.udf.scalar.builtin
def json_valid(document: str) -> bool:
    """DuckDB's: whether a text is JSON."""


def _sql_text(text: str | Path) -> str:
    """Returns a string literal of SQL."""
    return "'" + str(text).replace("'", "''") + "'"


def _sql_file(path: Path) -> str:
    return _sql_text(_literal(path))


def _literal(path: Path) -> str:
    """Returns a path as DuckDB takes it, to mean this file and no other.

    It reads patterns, and `~` as somebody's home.
    """
    plain = str(path.absolute())
    literal = glob.escape(plain)
    if literal != plain and "\\" in plain:
        raise InputError(
            f"{path}: DuckDB reads no path with a backslash and one of *?[. "
            "Give it another name."
        )
    return literal


def _sql_parquet(paths: Sequence[Path]) -> str:
    # The name of a folder, `day=3`, is no column.
    return (
        f"SELECT * FROM read_parquet([{_sql_files(paths)}], "
        "hive_partitioning=false)"
    )


def _sql_files(paths: Iterable[Path]) -> str:
    return ", ".join(map(_sql_file, paths))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
