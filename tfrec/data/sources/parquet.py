"""Parquet files."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import ibis
import ibis.expr.types as ir

from tfrec.data.sources.lines import sql_text
from tfrec.errors import InputError

# A name that no column of a log has.
_PLACE = "tfrec_position"


class Parquet:
    """Parquet files with the same columns.

    Args:
        paths: The files; those of one log follow each other in this order.
        connection: The engine.

    Raises:
        InputError: If one is not a Parquet file, or the columns differ.
    """

    def __init__(self, paths: Sequence[Path], connection: ibis.BaseBackend):
        self._paths = paths
        self._connection = connection
        schemas = [self._read([path]).schema() for path in paths]
        self.columns = [name for name in schemas[0] if name != _PLACE]
        for path, schema in zip(paths, schemas, strict=True):
            if schema != schemas[0]:
                raise InputError(
                    f"{path}: the files of a folder must have the same "
                    f"columns. Expected: {_shown(schemas[0])}, as in "
                    f"{paths[0]}. Received: {_shown(schema)}."
                )

    def table(
        self, connection: ibis.BaseBackend, names: Mapping[str, str]
    ) -> ir.Table:
        """Returns some columns, with their types, and `position`, from 0.

        Args:
            connection: The engine.
            names: The columns of the files, by the names they shall get.
        """
        rows = self._read(self._paths)
        return rows.select(position=rows[_PLACE], **names)

    def where(self, position: int) -> tuple[str, str]:
        """Returns a record's place, "x/log.parquet, row 7", and its text."""
        for path in self._paths:
            rows = self._read([path])
            count = rows.count().execute()
            if position < count:
                break
            position -= count
        row = rows.filter(rows[_PLACE] == position).drop(_PLACE)
        (values,) = row.to_pyarrow().to_pylist()
        return f"{path}, row {position + 1}", str(values)

    def check(self) -> None:
        """Does nothing: the engine already reads every value's type."""

    def _read(self, paths: Sequence[Path]) -> ir.Table:
        try:
            schema = self._connection.read_parquet(paths).schema()
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise InputError(
                f"{paths[0]} cannot be read as Parquet: {reason}"
            ) from error
        files = ", ".join(map(sql_text, paths))
        return self._connection.sql(
            f"SELECT row_number() OVER () - 1 AS {_PLACE}, * "
            f"FROM read_parquet([{files}])",
            schema={_PLACE: "int64", **schema},
        )


def _shown(schema: ibis.Schema) -> str:
    return ", ".join(
        f"{name} {kind}" for name, kind in schema.items() if name != _PLACE
    )
