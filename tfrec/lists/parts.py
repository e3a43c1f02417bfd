"""The parts of a file of lists: each whole or not there, joined at the end."""

import json
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
from tfrec.training.files import read_json, replacing, write_json, writing

SCHEMA = pa.schema(
    {
        "user": pa.string(),
        "item": pa.string(),
        "rank": pa.int32(),
        "score": pa.float32(),
    }
)
_PLAN = "plan.json"
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
    is whole. What they were made from is kept too: parts of another plan are
    not used.

    Args:
        output: The file.

    Attributes:
        folder: `lists.parquet.parts` for `lists.parquet`.
    """

    def __init__(self, output: Path):
        self._output = output
        self.folder = output.with_name(f"{output.name}.parts")

    def begin(self, plan: dict[str, Any]) -> bool:
        """Makes the folder fit for a plan.

        Args:
            plan: What decides the rows of the parts, as JSON can hold it.

        Returns:
            Whether parts of another plan had to be removed.
        """
        # As it is read back.
        plan = json.loads(json.dumps(plan))
        path = self.folder / _PLAN
        with writing(self.folder, _FLAG):
            self.folder.mkdir(parents=True, exist_ok=True)
            if path.exists() and _read(path) == plan:
                return False
            old = list(self.folder.glob("part-*"))
            # The plan first: without it, no part is used.
            path.unlink(missing_ok=True)
            for part in old:
                part.unlink()
        write_json(path, plan, _FLAG)
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
            InputError: If it cannot be written.
        """
        rows = 0
        # Here, where nothing is left of it after a kill.
        whole = self.folder / "whole"
        with writing(self._output, _FLAG):
            with open(whole, "wb") as file:
                writer = _WRITERS[self._output.suffix](file)
                for number in numbers:
                    table = pq.read_table(self._path(number))
                    writer.write(table)
                    rows += len(table)
                writer.close()
            whole.replace(self._output)
        shutil.rmtree(self.folder, ignore_errors=True)
        return rows

    def _path(self, number: int) -> Path:
        return self.folder / f"part-{number:05d}.parquet"


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except InputError:
        return {}


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
