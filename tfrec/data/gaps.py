"""The time before each target, kept beside the records of an evaluation.

It is no part of what is trained or tested on, so the records, and the checksum
of the data, are the same without it.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfrec.arrays import load_arrays
from tfrec.data.manifest import prepare_command
from tfrec.data.prepared import PreparedDataset
from tfrec.data.times import DAY_OF_SECONDS
from tfrec.data.windows import read_order
from tfrec.integrity import file_checksum


class GapWriter:
    """Collects the gaps of a split, and writes them as `<split>-gaps.npz`.

    Args:
        folder: An existing folder.
        split: Name of the split: validation or test.
        day: What times count in a day; None: they are not kept.
    """

    def __init__(self, folder: Path, split: str, day: int | None):
        self._path = Path(folder) / f"{split}-gaps.npz"
        self._day = day
        self._gaps: list[np.ndarray] = []
        self._counts: list[np.ndarray] = []

    def write(self, batch: pa.RecordBatch) -> None:
        """Takes the gaps of some records.

        Args:
            batch: Column `gaps`, lists of integers that count as `day` says.
        """
        if self._day is None:
            return
        gaps = batch.column("gaps")
        counts = pc.list_value_length(gaps).to_numpy(zero_copy_only=False)
        values = gaps.flatten().to_numpy(zero_copy_only=False)
        seconds = values * (DAY_OF_SECONDS / self._day)
        self._gaps.append(seconds.astype(np.float32))
        self._counts.append(counts.astype(np.int32))

    def close(self) -> dict[str, Any] | None:
        """Writes the file.

        Returns:
            What the manifest says of it: {file, bytes, sha256}; None if times
            are not kept.
        """
        if self._day is None:
            return None
        np.savez_compressed(
            self._path,
            gaps=np.concatenate([np.zeros(0, np.float32), *self._gaps]),
            counts=np.concatenate([np.zeros(0, np.int32), *self._counts]),
        )
        return {
            "file": self._path.name,
            "bytes": self._path.stat().st_size,
            "sha256": file_checksum(self._path),
        }


def read_gaps(data: PreparedDataset, split: str) -> np.ndarray | None:
    """Returns the time from the last event of each history to what came next.

    Of several targets the first counts.

    Args:
        data: A prepared dataset.
        split: "validation" or "test".

    Returns:
        float32 `[examples]`, in seconds, in the order of the split's records,
        see `EvaluationBatch.record`; None if there are no times, see
        `why_no_gaps`.

    Raises:
        InputError: If the file is damaged.
    """
    held = data.manifest.splits[split]
    if not held.get("gaps"):
        return None
    path = data.data_dir / held["gaps"]["file"]
    gaps, counts = load_arrays(path, "gaps", "counts")
    ends = np.append(0, np.cumsum(counts)).astype(np.int32)
    lists = pa.ListArray.from_arrays(ends, gaps)
    order = read_order(len(counts), len(held["shards"]))
    return lists.take(pa.array(order)).flatten().to_numpy()


def why_no_gaps(data: PreparedDataset, split: str) -> str:
    """Returns why `read_gaps` returns None, and what can be done."""
    if "gaps" in data.manifest.splits[split]:
        return (
            "The log has no times, or numbers whose unit is not known "
            "(`--timestamps_per_second`)."
        )
    command = prepare_command(data.manifest.settings, data.data_dir)
    return (
        "The dataset was prepared before tfrec kept times. Delete its folder "
        f"and run `{command}`: its checksum stays, and so do its runs."
    )
