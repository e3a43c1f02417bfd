"""Files with records that no engine reads: what is left without them.

Only with --bad_rows=skip, and only where an engine has refused a file. It is
read here once, record by record, and what is whole is handed over as Parquet.
"""

import itertools
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq

from tfrec.data.engine import Engine
from tfrec.data.sources.bad_rows import BadRows
from tfrec.data.sources.fields import Malformed, RawFiles
from tfrec.data.sources.records import Record
from tfrec.data.sources.text import pick
from tfrec.errors import InputError

_BATCH_ROWS = 50_000
_Read = TypeVar("_Read")


class Salvageable(Protocol):
    """Text files whose records can be read without an engine."""

    columns: Sequence[str]
    paths: Sequence[Path]

    def records(self) -> Iterator[Record]:
        """Yields every record, those that cannot be read too."""


def read_or_salvage(
    read: Callable[[RawFiles], _Read],
    raw: RawFiles,
    engine: Engine,
    bad_rows: BadRows,
) -> _Read:
    """Reads raw files; without the records that no engine reads, if it may.

    Args:
        read: Reads all, from what is given to it.
        raw: The raw files.
        engine: What reads them.
        bad_rows: Says whether rows may be skipped, and counts them.

    Raises:
        InputError: If a record is malformed and rows may not be skipped.
    """
    try:
        return read(raw)
    except Malformed:
        if not (bad_rows.skip and raw.by_records):
            raise
    if engine.folder is None:
        raise InputError(
            "`--bad_rows=skip` cannot skip lines that Spark does not read, on "
            "a cluster: it would need a file that all machines see. Use "
            "`--engine=duckdb`, or mend the lines that --bad_rows=stop names."
        )
    with tempfile.TemporaryDirectory(dir=engine.folder) as folder:
        return read(_Salvaged(raw, Path(folder, "rows.parquet"), bad_rows))


class _Salvaged:
    """The records of text files that can be read, as a Parquet file.

    Args:
        raw: The files.
        path: Where the Parquet file goes.
        bad_rows: Counts the others.
    """

    def __init__(self, raw: Salvageable, path: Path, bad_rows: BadRows):
        self._raw = raw
        self._path = path
        self.paths = raw.paths
        self.columns = raw.columns
        self.by_records = True
        self._write(bad_rows)

    def table(
        self, engine: Engine, names: Mapping[str, str] | None = None
    ) -> ir.Table:
        """Returns some columns, or the lines, and `position`."""
        names = names or {"line": "line"}
        rows = engine.parquet([self._path])
        places = {n: f"c{self.columns.index(c)}" for n, c in names.items()}
        return rows.select("position", **places)

    def where(self, positions: Sequence[int]) -> list[tuple[str, str]]:
        """Returns where records stand, and their text."""
        found = pick(self._raw.records(), positions)
        return [(record.place, record.text) for record in found]

    def check(self) -> None:
        """Does nothing: what is left can be read."""

    def _write(self, bad_rows: BadRows) -> None:
        names = ["position", *(f"c{n}" for n in range(len(self.columns)))]
        kinds = [pa.int64(), *[pa.string()] * len(self.columns)]
        schema = pa.schema(list(zip(names, kinds, strict=True)))
        records = enumerate(self._raw.records())
        with pq.ParquetWriter(self._path, schema) as writer:
            while part := list(itertools.islice(records, _BATCH_ROWS)):
                rows = []
                for number, record in part:
                    if record.expected:
                        bad_rows.add(
                            record.expected,
                            examples=[(record.place, record.text)],
                        )
                        bad_rows.rows += 1
                    else:
                        # As engines read it: an empty field is none.
                        fields = (field or None for field in record.fields)
                        rows.append((number, *fields))
                columns = zip(*rows, strict=True) if rows else [[]] * len(names)
                arrays = [
                    pa.array(column, kind)
                    for column, kind in zip(columns, kinds, strict=True)
                ]
                writer.write_table(pa.table(arrays, schema=schema))
