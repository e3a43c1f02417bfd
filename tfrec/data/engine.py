"""The engine of preparation: what Ibis expressions run on.

Filters, splits and numbering are Ibis expressions, the same for all engines.
What Ibis does not do alike everywhere is here: to read raw files in their
order, to keep a table, to stream one.
"""

import abc
import contextlib
import importlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from tfrec.data.config import DataConfig

# The place of a row in Parquet files; a name that no column of a log has.
PLACE = "tfrec_position"
# Loaded on use: pyspark is an extra.
_HOMES = {
    "duckdb": "tfrec.data.duckdb_engine",
    "pyspark": "tfrec.data.spark_engine",
}


class Engine(abc.ABC):
    """An engine behind Ibis.

    Attributes:
        connection: Ibis's connection to it.
        read_errors: Among them is what it raises when a raw file is not what
            it should be.
        minds_line_ends: Whether lines must all end alike, and a carriage
            return inside of one ends it.
        folder: Where files can be left that it shall read; None if it runs on
            machines that see no folder of this one.
    """

    connection: ibis.BaseBackend
    read_errors: tuple[type[Exception], ...]
    minds_line_ends: bool = False
    folder: Path | None

    @abc.abstractmethod
    def reason(self, error: Exception) -> str:
        """Returns what one of the engine's errors says, in a line or two."""

    def blames_files(self, error: Exception) -> bool:
        """Returns whether one of `read_errors` is about what a file holds."""
        return True

    @abc.abstractmethod
    def store(self, name: str, table: ir.Table) -> ir.Table:
        """Computes a table once for all that is made from it."""

    @abc.abstractmethod
    def load(self, name: str, table: pa.Table) -> ir.Table:
        """Hands rows to the engine."""

    @abc.abstractmethod
    def stream(self, table: ir.Table, rows: int) -> Iterator[pa.RecordBatch]:
        """Yields the rows of an ordered table in Arrow batches.

        They are never all in memory.

        Args:
            table: What to read.
            rows: Rows in a batch, at most.
        """

    @abc.abstractmethod
    def lines(self, path: Path, encoding: str) -> ir.Table:
        """Returns `line` and `position`, the line's number from 0.

        Args:
            path: A text file.
            encoding: "utf-8" or "latin-1".
        """

    @abc.abstractmethod
    def delimited(
        self,
        paths: Sequence[Path],
        separator: str,
        width: int,
        headers: Sequence[int],
        chosen: Mapping[str, int],
    ) -> ir.Table:
        """Returns fields as strings, and `position`, the record's number.

        Args:
            paths: The files; they follow each other in this order.
            separator: The text between fields.
            width: The number of fields of a record.
            headers: For each file, how many blank lines come before its
                header. Empty: the files have none.
            chosen: The places of the fields to return, from 0, by name.
        """

    @abc.abstractmethod
    def parquet_schema(self, path: Path) -> ibis.Schema:
        """Returns the columns of a Parquet file."""

    @abc.abstractmethod
    def parquet(self, paths: Sequence[Path]) -> ir.Table:
        """Returns the rows of Parquet files, and `PLACE`, their number."""

    @abc.abstractmethod
    def text(self, column: ir.Column) -> ir.StringValue:
        """Returns ids as strings.

        Raises:
            InputError: If other engines write values of this type otherwise.
        """

    @abc.abstractmethod
    def is_json(self, text: ir.StringValue) -> ir.BooleanValue:
        """Returns whether a text is one JSON value; never null."""

    @abc.abstractmethod
    def json_member(self, text: ir.StringValue, name: str) -> ir.StringValue:
        """Returns a member of a JSON object as text, null if it has none."""


@contextlib.contextmanager
def connect(config: DataConfig, folder: Path) -> Iterator[Engine]:
    """Opens the engine of `config.engine`.

    Args:
        config: Names the engine and what it may use.
        folder: An existing folder on a disk with room for the log, where an
            engine on this machine works.

    Raises:
        InputError: If the engine is not installed or does not start; on
            leaving, if it ran out of memory or disk.
    """
    home = importlib.import_module(_HOMES[config.engine])
    with home.connect(config, folder) as engine:
        yield engine
