"""Parquet files."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq

from tfrec.data.engine import PLACE, Engine
from tfrec.errors import InputError


class Parquet:
    """Parquet files with the same columns.

    Args:
        paths: The files; those of one log follow each other in this order.
        engine: What reads them.
        name: What messages call them. Empty: each by its path.

    Raises:
        InputError: If one is not a Parquet file, or the columns differ.
    """

    by_records = False

    def __init__(self, paths: Sequence[Path], engine: Engine, name: str = ""):
        self.paths = paths
        self._name = name
        self._engine = engine
        schemas = [engine.parquet_schema(path) for path in paths]
        self.columns = list(schemas[0])
        for path, schema in zip(paths, schemas, strict=True):
            if schema != schemas[0]:
                raise InputError(
                    f"{path}: the files of a folder must have the same "
                    f"columns. Expected: {_shown(schemas[0])}, as in "
                    f"{paths[0]}. Received: {_shown(schema)}."
                )

    def table(self, engine: Engine, names: Mapping[str, str]) -> ir.Table:
        """Returns some columns, with their types, and `position`, from 0.

        Args:
            engine: What reads them.
            names: The columns of the files, by the names they shall get.
        """
        rows = engine.parquet(self.paths)
        return rows.select(position=rows[PLACE], **names)

    def where(self, positions: Sequence[int]) -> list[tuple[str, str]]:
        """Returns records' places, "x/log.parquet, row 7", and their texts."""
        return [self._where(position) for position in positions]

    def _where(self, position: int) -> tuple[str, str]:
        for path in self.paths:
            rows = self._engine.parquet([path])
            count = rows.count().execute()
            if position < count:
                break
            position -= count
        row = rows.filter(rows[PLACE] == position).drop(PLACE)
        (values,) = row.to_pyarrow().to_pylist()
        return f"{self._name or path}, row {position + 1}", str(values)

    def check(self) -> None:
        """Raises `InputError` at the first file that is damaged."""
        for path in self.paths:
            try:
                for _ in pq.ParquetFile(path).iter_batches():
                    pass
            except (OSError, pa.ArrowException) as error:
                raise InputError(f"{path} is damaged: {error}.") from error


def _shown(schema: ibis.Schema) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in schema.items())
