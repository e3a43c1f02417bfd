"""Folders that get their name once they are complete.

A process that is killed cannot delete what it had begun. So such a folder has
a lock, which the operating system releases, and the next one that works there
deletes those whose locks are free.
"""

import contextlib
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import filelock

# Of a folder beside the one that it is to become; see `unfinished`.
_NAME = re.compile(r"\..+\.[0-9a-f]{8}")
_LOCK = ".unfinished"


@contextlib.contextmanager
def unfinished(target: Path) -> Iterator[Path]:
    """Gives a new folder, to be moved to `target`, which vanishes at the end.

    What was killed before in the same place is deleted first.

    Args:
        target: What it is to become. Folders above it are made.

    Raises:
        OSError: If it cannot be made.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target.parent)
    outer, lock = _locked(target)
    try:
        # Within, so that it has its lock while it is moved.
        folder = outer / target.name
        folder.mkdir()
        yield folder
    finally:
        _delete(outer)
        lock.release()


@contextlib.contextmanager
def temporary_files_in(folder: Path) -> Iterator[None]:
    """Lets the process write its temporary files into an unfinished folder.

    So what it leaves when it is killed is deleted with the folder.

    Args:
        folder: What `unfinished` gave, or what is above it.
    """
    before = tempfile.tempdir
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


def sweep(folder: Path) -> None:
    """Deletes what killed processes left in a folder by `unfinished`.

    What cannot be deleted stays.
    """
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if _NAME.fullmatch(path.name) and not path.is_symlink():
                _sweep(path)


def _sweep(path: Path) -> None:
    with contextlib.suppress(OSError, filelock.Timeout):
        if (path / _LOCK).exists():
            with filelock.FileLock(path / _LOCK, timeout=0):
                _delete(path)
        else:
            # Killed before it was locked; what has files is not ours.
            path.rmdir()


def _delete(outer: Path) -> None:
    """Deletes a folder, its lock last: a kill meanwhile is seen later."""
    for path in outer.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
    shutil.rmtree(outer, ignore_errors=True)


def _locked(target: Path) -> tuple[Path, filelock.BaseFileLock]:
    """Makes a folder for `target` and locks it."""
    while True:
        name = f".{target.name}.{uuid.uuid4().hex[:8]}"
        outer = target.with_name(name)
        outer.mkdir()
        lock = filelock.FileLock(outer / _LOCK)
        # Another one may sweep it before it is locked: then once more.
        with contextlib.suppress(FileNotFoundError):
            lock.acquire()
            if (outer / _LOCK).exists():
                return outer, lock
            lock.release()
