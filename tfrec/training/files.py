"""Files of a run directory, written whole or not at all."""

import contextlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import filelock
import tensorflow as tf

from tfrec.errors import CannotWriteError, InputError, OutsideError

# What `replacing` writes, until it has its name.
_UNFINISHED = re.compile(r"\..+\.[0-9]+")


@contextlib.contextmanager
def writing(path: Path, flag: str = "--run_dir") -> Iterator[None]:
    """Turns the errors of a full disk or an unwritable folder into one.

    Args:
        path: What is being written, for the message.
        flag: What names the folder, for the message.

    Raises:
        CannotWriteError: If the body raises an error of the file system.
    """
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        reason = str(error)
        if isinstance(error, tf.errors.OpError):
            # "{{function_node ...}} path; No space left on device [Op:...]"
            reason = error.message.rpartition("}} ")[2].partition(" [Op")[0]
        raise CannotWriteError(
            f"Cannot write {path}: {reason}. Give `{flag}` a folder that "
            "can be written, on a disk with space left."
        ) from error


@contextlib.contextmanager
def locked(
    folder: Path,
    doing: str = "training",
    flag: str = "--run_dir",
    wait: bool = False,
) -> Iterator[None]:
    """Makes a folder and keeps other processes from working in it.

    The operating system releases the lock of a process that was killed. What
    such a one was writing by `replacing` is deleted.

    Args:
        folder: The folder.
        doing: What another one does there, for the message.
        flag: What names the folder, for the message.
        wait: Whether to wait for another process, which will not take long.

    Raises:
        OutsideError: If another process has locked it, or it cannot be
            written.
    """
    lock = filelock.FileLock(folder / ".lock")
    with writing(folder, flag):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=-1 if wait else 0)
        except filelock.Timeout:
            raise OutsideError(
                f"Another process is {doing} {folder}. Give another "
                f"`{flag}`, or wait."
            ) from None
    try:
        sweep(folder)
        yield
    finally:
        lock.release()


def sweep(folder: Path) -> None:
    """Deletes files that a killed process began by `replacing`.

    Args:
        folder: Where they are. Nobody else writes there.
    """
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if _UNFINISHED.fullmatch(path.name) and path.is_file():
                path.unlink()


@contextlib.contextmanager
def replacing(path: Path, flag: str = "--run_dir") -> Iterator[BinaryIO]:
    """Opens a file under a temporary name, and renames it at the end.

    Args:
        path: The file.
        flag: What names its folder, for the message.

    Raises:
        InputError: If it cannot be written.
    """
    # A link stays one.
    real = Path(os.path.realpath(path))
    temporary = real.with_name(f".{real.name}.{os.getpid()}")
    with writing(path, flag):
        try:
            with open(temporary, "wb") as file:
                yield file
            temporary.replace(real)
        finally:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str, flag: str = "--run_dir") -> None:
    """Writes a file whole or not at all; see `replacing`."""
    with replacing(path, flag) as file:
        file.write(text.encode())


def write_json(
    path: Path, values: dict[str, Any], flag: str = "--run_dir"
) -> None:
    """Writes JSON as `write_text` does."""
    write_text(path, json.dumps(values, indent=2) + "\n", flag)


def read_json(path: Path) -> dict[str, Any]:
    """Reads what `write_json` wrote.

    Raises:
        InputError: If it is no JSON object.
    """
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path} cannot be read: {error}.") from error
