"""Reads logs of requests, record by record."""

import glob
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from tfrec.errors import InputError, InputWarning
from tfrec.serving.request_files import SUFFIX
from tfrec.serving.statuses import first_line

# Beside the bytes of a record.
_FRAME = 16
# Records that are read at once.
_AT_ONCE = 64
_TRUNCATED = "truncated record"


class Logged(NamedTuple):
    """A record, and where it is: "requests.tfrecord, record 3"."""

    place: str
    log: PredictionLog


def find_files(given: Sequence[str]) -> list[Path]:
    """Returns the files of a log, by name.

    Args:
        given: Files, folders, patterns, and prefixes of files, as a server is
            told them.

    Raises:
        InputError: If one leads nowhere.
    """
    found: list[Path] = []
    for text in given:
        path = Path(text)
        if path.is_dir():
            paths = [p for p in path.iterdir() if not p.name.startswith(".")]
        elif path.exists():
            paths = [path]
        else:
            pattern = glob.escape(text) + f"-*{SUFFIX}"
            names = glob.glob(pattern) or glob.glob(text)
            paths = [Path(name) for name in names]
        paths = sorted(p for p in paths if p.is_file())
        if not paths:
            raise InputError(
                "`--log` must name files, folders or patterns of logged "
                "requests, or what `--log_requests` of `tfrec serve` named. "
                f"Nothing was found for {text}."
            )
        found += paths
    return list(dict.fromkeys(found))


def total_bytes(paths: Sequence[Path]) -> int:
    """Returns the size of the files that are there still."""
    return sum(_size(path) or 0 for path in paths)


def _size(path: Path) -> int | None:
    """Returns the size of a file; None if it is gone."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return None


def read_logs(
    paths: Sequence[Path], progress: Callable[[int], None] = lambda _: None
) -> Iterator[Logged]:
    """Yields the records of files, one at a time.

    A file may end within a record, as one does that is written just now, or
    whose server was killed, or be gone, as its oldest is when a server begins
    a new one: there is a warning, and the rest is read.

    Args:
        paths: The files.
        progress: Is told how many bytes were read.

    Raises:
        InputError: If one is no log, naming the file and the record.
    """
    done = 0
    for path in paths:
        number, before = 1, done
        # A server may be writing more.
        size = _size(path)
        if size is None:
            warnings.warn(
                f"{path} is gone: it was deleted since this began.",
                InputWarning,
                stacklevel=2,
            )
            continue
        records = _records(path)
        while True:
            place = f"{path}, record {number}"
            try:
                record = next(records, None)
            except tf.errors.OpError as error:
                _refuse_damage(path, number, first_line(error))
                break
            if record is None:
                break
            try:
                yield Logged(place, PredictionLog.FromString(record))
            except DecodeError:
                raise InputError(
                    f"{place} is no PredictionLog of TensorFlow Serving."
                ) from None
            number += 1
            done += len(record) + _FRAME
            progress(done)
        if done - before < size:
            warnings.warn(
                f"{path} ends within record {number}, which is left out.",
                InputWarning,
                stacklevel=2,
            )


def _records(path: Path) -> Iterator[bytes]:
    """Yields the records before the first that cannot be read, and raises."""
    records, done = tf.data.TFRecordDataset(str(path)), 0
    try:
        # One by one takes twice as long.
        for block in records.batch(_AT_ONCE).as_numpy_iterator():
            for record in block:
                done += 1
                yield record
    except tf.errors.OpError:
        yield from records.skip(done).as_numpy_iterator()
        raise


def _refuse_damage(path: Path, number: int, reason: str) -> None:
    """Raises `InputError` unless it is the end of a file that is cut."""
    if number == 1 and _TRUNCATED not in reason:
        raise InputError(
            f"{path} must be a log of requests, in TFRecords. Received: "
            f"something else, or a damaged one ({reason})."
        )
    if _TRUNCATED not in reason:
        raise InputError(f"{path} is damaged: record {number}: {reason}.")
