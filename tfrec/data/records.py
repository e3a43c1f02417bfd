"""TFRecord shards: writing them, checking them, finding what is corrupt.

A record is a `tf.train.Example` with `id` (bytes), `items` and, where there
are any, `targets` (int64 lists of item indices in time order, 0 is padding
and never stored; those above the vocabulary's are items that training never
saw), and `user` (int64, its index; absent if training did not know the user).
"""

import itertools
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
from google.protobuf.message import DecodeError

from tfrec.batches import UNKNOWN_USER
from tfrec.data.vocabulary import REMEDY
from tfrec.errors import InputError
from tfrec.integrity import file_checksum

SUFFIX = ".tfrecord"


class ShardWriter:
    """Writes one split as `<split>-00000-of-00008.tfrecord` and so on.

    Records are dealt to the shards in turn, so the shards differ by at most
    one record and the same records in the same order give the same bytes.

    Args:
        folder: An existing folder.
        split: Name of the split: train, validation or test.
        shards: Number of files.

    Raises:
        InputError: If a shard cannot be written (no such folder, no
            permission, disk full).

    Example:

        with ShardWriter(folder, "train", shards=8) as writer:
            for batch in reader:
                writer.write(batch)
        splits["train"] = writer.summary
    """

    def __init__(self, folder: Path, split: str, shards: int):
        self._paths = [
            Path(folder) / f"{split}-{shard:05d}-of-{shards:05d}{SUFFIX}"
            for shard in range(shards)
        ]
        self._writers: list[tf.io.TFRecordWriter] = []
        self._records = self._tokens = self._max_length = 0
        self.summary: dict[str, Any] = {}

    def __enter__(self) -> "ShardWriter":
        try:
            for path in self._paths:
                self._writers.append(tf.io.TFRecordWriter(str(path)))
        except (tf.errors.OpError, OSError) as error:
            raise self._unwritable(error) from error
        return self

    def write(self, batch: pa.RecordBatch) -> None:
        """Appends every row of an Arrow batch.

        Args:
            batch: Columns `id` (string), `user` (integer), `items` and
                optionally `targets` (lists of integers; a null list counts as
                empty).

        Raises:
            InputError: If the shard cannot be written.
            ValueError: If a row has no items or an index below 1.
        """
        ids = batch.column("id").to_pylist()
        users = batch.column("user").to_pylist()
        items, lengths = _rows(batch.column("items"))
        if ids and not lengths.all():
            empty = ids[int(np.argmin(lengths))]
            raise ValueError(f"Sequence {empty!r} has no items.")
        if "targets" in batch.schema.names:
            targets, _ = _rows(batch.column("targets"))
        else:
            targets = itertools.repeat([], len(ids))
        shards = len(self._writers)
        try:
            for row, record in enumerate(
                zip(ids, users, items, targets, strict=True), self._records
            ):
                self._writers[row % shards].write(_example(*record))
        except (tf.errors.OpError, OSError) as error:
            raise self._unwritable(error) from error
        self._records += len(ids)
        self._tokens += int(lengths.sum())
        self._max_length = max(self._max_length, int(lengths.max(initial=0)))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            for writer in self._writers:
                writer.close()
        except (tf.errors.OpError, OSError) as failure:
            if kind is None:
                raise self._unwritable(failure) from failure
        if kind is None:
            self.summary = self._summarise()

    def _summarise(self) -> dict[str, Any]:
        shards = len(self._paths)
        return {
            "records": self._records,
            "tokens": self._tokens,
            "max_length": self._max_length,
            "shards": [
                {
                    "file": path.name,
                    "records": len(range(shard, self._records, shards)),
                    "bytes": path.stat().st_size,
                    "sha256": file_checksum(path),
                }
                for shard, path in enumerate(self._paths)
            ],
        }

    def _unwritable(self, error: Exception) -> InputError:
        return InputError(
            f"Cannot write {self._paths[0].parent}: {error}. Give `--data_dir` "
            "a folder that can be written, on a disk with space left."
        )


def _rows(column: pa.Array) -> tuple[Iterator[list[int]], np.ndarray]:
    """Splits a list column into Python lists and their lengths [rows]."""
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(
        zero_copy_only=False
    )
    values = column.flatten().to_numpy(zero_copy_only=False)
    # An index of 0 would be taken for padding; a null arrives as NaN.
    if not (values >= 1).all():
        raise ValueError("Item indices start at 1; a record has another.")
    ends = np.cumsum(lengths).tolist()
    starts = [0, *ends[:-1]]
    # Several times faster than `to_pylist`, and one list at a time: Python's
    # integers take four times as much memory as these.
    rows = (values[a:b].tolist() for a, b in zip(starts, ends, strict=False))
    return rows, lengths


def _example(
    name: str, user: int, items: list[int], targets: list[int]
) -> bytes:
    """Serializes one record; the same input always gives the same bytes."""
    example = tf.train.Example()
    feature = example.features.feature
    feature["id"].bytes_list.value.append(name.encode())
    feature["items"].int64_list.value.extend(items)
    if user != UNKNOWN_USER:
        feature["user"].int64_list.value.append(user)
    if targets:
        feature["targets"].int64_list.value.extend(targets)
    return example.SerializeToString(deterministic=True)


def check_file(folder: Path, file: dict[str, Any]) -> None:
    """Raises if a file is missing or has not its recorded size.

    Args:
        folder: The prepared dataset's folder.
        file: An entry of the manifest: `file`, `bytes`, `sha256`.

    Raises:
        InputError: Naming the file, and the first bad record when a shard is
            too short.
    """
    path = Path(folder) / file["file"]
    if not path.is_file():
        raise InputError(f"{path} is missing. {REMEDY}")
    size = path.stat().st_size
    if size != file["bytes"]:
        raise _damaged(path, f"{file['bytes']} bytes", str(size))


def verify_file(folder: Path, file: dict[str, Any]) -> None:
    """Raises if a file's bytes are not those that were written.

    Args:
        folder: The prepared dataset's folder.
        file: An entry of the manifest.

    Raises:
        InputError: Naming the file, and the first bad record of a shard where
            one fails its own checksum.
    """
    check_file(folder, file)
    path = Path(folder) / file["file"]
    received = file_checksum(path)
    if received != file["sha256"]:
        raise _damaged(path, f"SHA-256 {file['sha256']}", received)


def _damaged(path: Path, expected: str, received: str) -> InputError:
    found = None
    if path.suffix == SUFFIX:
        found = find_corrupt_record(path)
    where = f" ({found})" if found else ""
    return InputError(
        f"{path} is damaged{where}: expected {expected}, received {received}. "
        f"{REMEDY}"
    )


def find_corrupt_record(path: Path) -> str | None:
    """Reads a shard until a record cannot be read.

    Returns:
        "record 17: truncated record", counting from 1, or None when every
        record can be read.
    """
    number = 1
    try:
        for record in tf.data.TFRecordDataset(str(path)):
            tf.train.Example.FromString(record.numpy())
            number += 1
    except tf.errors.OpError as error:
        # "{{function_node ...}} corrupted record at 123 [Op:...] name: "
        reason = error.message.rpartition("}} ")[2].partition(" [Op")[0]
        return f"record {number}: {reason}"
    except DecodeError:
        return f"record {number}: not a tf.train.Example"
    return None
