"""The parts of a file of lists: each whole or not there, joined at the end."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from tfrec.data.histories import History
from tfrec.errors import InputError
from tfrec.lists.source import Listed
from tfrec.training.files import replacing, writing

SCHEMA = pa.schema(
    {
        "user": pa.string(),
        "item": pa.string(),
        "rank": pa.int32(),
        "score": pa.float32(),
    }
)
_FLAG = "--output"


def part_table(
    histories: Sequence[History], lists: Sequence[Listed]
) -> pa.Table:
    """Makes the rows of some lists, in the order of users and ranks.

    Args:
        histories: Whose lists they are.
        lists: One for each.
    """
    sizes = [len(one.items) for one in lists]
    ranks = [np.arange(1, size + 1, dtype=np.int32) for size in sizes]
    users = np.repeat(np.arange(len(sizes)), sizes)
    return pa.table(
        {
            "user": pa.array([h.name for h in histories], pa.string()).take(
                pa.array(users)
            ),
            "item": [item for one in lists for item in one.items],
            "rank": np.concatenate([np.zeros(0, np.int32), *ranks]),
            "score": [score for one in lists for score in one.scores],
        },
        SCHEMA,
    )


class Parts:
    """The folder of the parts, beside the file that they become.

    A part is written under another name and renamed, so that one that is there
    is whole. Its name has a checksum of what it was made from: parts of
    another plan are not used, whoever may still write them.

    Args:
        output: The file.
        plan: What decides the rows of the parts, as JSON can hold it.

    Attributes:
        folder: `lists.parquet.parts` for `lists.parquet`.
    """

    def __init__(self, output: Path, plan: dict[str, Any]):
        # A link stays one: what it leads to is written.
        self._output = output = Path(os.path.realpath(output))
        text = json.dumps(plan, sort_keys=True)
        self._plan = hashlib.sha256(text.encode()).hexdigest()[:16]
        self.folder = output.with_name(f"{output.name}.parts")

    def begin(self) -> bool:
        """Makes the folder; returns whether parts of other plans are removed.

        Raises:
            InputError: If it cannot be written.
        """
        with writing(self.folder, _FLAG):
            self.folder.mkdir(parents=True, exist_ok=True)
            own = set(self.folder.glob(self._name("*")))
            old = set(self.folder.glob("part-*")) - own
            for part in old:
                part.unlink(missing_ok=True)
        return bool(old)

    def done(self, number: int) -> bool:
        """Returns whether a part is there."""
        return self._path(number).exists()

    def write(self, number: int, rows: pa.Table) -> None:
        """Writes a part.

        Raises:
            InputError: If it cannot be written.
        """
        with replacing(self._path(number), _FLAG) as file:
            pq.write_table(rows, file)

    def join(self, numbers: Sequence[int]) -> int:
        """Makes the file of the parts, and removes them.

        Args:
            numbers: Of all its parts, in order.

        Returns:
            The number of rows.

        Raises:
            InputError: If it cannot be written, or a part cannot be read.
        """
        rows = 0
        # Here, where nothing is left of it after a kill.
        whole = self.folder / "whole"
        with writing(self._output, _FLAG):
            with open(whole, "wb") as file:
                writer = _WRITERS[self._output.suffix](file)
                for number in numbers:
                    table = _read(self._path(number))
                    writer.write(table)
                    rows += len(table)
                writer.close()
            whole.replace(self._output)
        shutil.rmtree(self.folder, ignore_errors=True)
        return rows

    def _path(self, number: int) -> Path:
        return self.folder / self._name(f"{number:05d}")

    def _name(self, number: str) -> str:
        return f"part-{number}-{self._plan}.parquet"


def _read(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{path} cannot be read: {error}. Remove it, and run the command "
            "again: it makes that part anew."
        ) from error


class _JsonWriter:
    """Writes JSON lines, for which PyArrow has no writer."""

    def __init__(self, file: BinaryIO):
        self._file = file

    def write(self, table: pa.Table) -> None:
        for row in table.to_pylist():
            line = json.dumps(row, ensure_ascii=False)
            self._file.write(f"{line}\n".encode())

    def close(self) -> None:
        pass


_WRITERS: dict[str, Callable[[BinaryIO], Any]] = {
    ".parquet": lambda file: pq.ParquetWriter(file, SCHEMA),
    ".csv": lambda file: pyarrow.csv.CSVWriter(file, SCHEMA),
    ".jsonl": _JsonWriter,
}
