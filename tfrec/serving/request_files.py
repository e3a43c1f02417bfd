"""Files of logged requests: TFRecords of bounded size and number."""

import contextlib
import datetime
import os
import re
from pathlib import Path

import tensorflow as tf

from tfrec.errors import InputError

SUFFIX = ".tfrecord"
# What the file system does to those who write.
WRITE_ERRORS = (OSError, tf.errors.OpError)
# The length of a record and two checksums.
_FRAME = 16


class LogFiles:
    """Writes records to `<prefix>-<time in UTC>-<number>.tfrecord`.

    A new file begins where the last one would grow beyond `max_bytes`; of the
    files with this prefix the oldest are deleted, so that `max_files` are
    there at most. Only their owner can read them. Each record is on its way to
    the disk when `write` returns, and a file in which one could not be written
    ends before it.

    Args:
        prefix: Path and first letters of the files.
        max_bytes: Size of a file; one record may exceed it.
        max_files: Number of files.
        named_by: What names the prefix, for messages.

    Raises:
        InputError: If there can be no such files.
    """

    def __init__(
        self, prefix: str, max_bytes: int, max_files: int, named_by: str
    ):
        self._folder, self._name = Path(prefix).parent, Path(prefix).name
        self._max_bytes, self._max_files = max_bytes, max_files
        self._path: Path | None = None
        self._writer: tf.io.TFRecordWriter | None = None
        self._size = self._number = 0
        if prefix.endswith(os.sep) or Path(prefix).is_dir():
            raise InputError(
                f"{named_by} must be a folder and the first letters of files "
                f"in it, such as {Path(prefix) / 'requests'}. Received: "
                f"{prefix}."
            )
        try:
            self._folder.mkdir(0o700, parents=True, exist_ok=True)
            if not os.access(self._folder, os.W_OK | os.X_OK):
                raise PermissionError(f"{self._folder} cannot be written")
        except OSError as error:
            raise InputError(
                f"{named_by} must be in a folder that can be written: {error}."
            ) from error

    def write(self, record: bytes) -> None:
        """Appends a record.

        Raises:
            OSError: Or an error of TensorFlow, if it cannot be written.
        """
        size = len(record) + _FRAME
        if self._writer and self._size + size > self._max_bytes:
            self.close()
        try:
            if not self._writer:
                self._begin()
            self._writer.write(record)
            self._writer.flush()
        except WRITE_ERRORS:
            self._abandon()
            raise
        self._size += size

    def close(self) -> None:
        """Ends the file; the next record begins a new one."""
        writer, self._writer = self._writer, None
        if writer:
            writer.close()

    def _begin(self) -> None:
        self._make_room()
        now = datetime.datetime.now(datetime.timezone.utc)
        while True:
            # Never again from 0, or a new file might come before an old one.
            stem = f"{self._name}-{now:%Y%m%d-%H%M%S}-{self._number:06d}"
            self._number += 1
            path = self._folder / (stem + SUFFIX)
            try:
                # Before TensorFlow opens it: for its owner alone.
                os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
                break
            except FileExistsError:
                continue
        self._path, self._size = path, 0
        self._writer = tf.io.TFRecordWriter(str(path))

    def _make_room(self) -> None:
        """Deletes the oldest files, by their names."""
        pattern = re.escape(self._name) + r"-\d{8}-\d{6}-\d{6}" + SUFFIX
        there = sorted(
            path
            for path in self._folder.iterdir()
            if re.fullmatch(pattern, path.name)
        )
        for path in there[: max(0, len(there) + 1 - self._max_files)]:
            path.unlink(missing_ok=True)

    def _abandon(self) -> None:
        """Cuts the file after its last whole record, and leaves it."""
        with contextlib.suppress(*WRITE_ERRORS):
            self.close()
        if self._path:
            with contextlib.suppress(OSError):
                os.truncate(self._path, self._size)
                if not self._size:
                    self._path.unlink()
        self._path = None
