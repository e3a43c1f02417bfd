"""Folders that get their name once they are complete."""

import os
import shutil
import tempfile

import filelock
import pytest

from tfrec.training.files import locked
from tfrec.unfinished import sweep, temporary_files_in, unfinished


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_is_moved_and_nothing_else_is_left(tmp_path):
    target = tmp_path / "new" / "data"
    with unfinished(target) as folder:
        (folder / "x").touch()
        assert not target.exists()
        folder.rename(target)
    assert names(target.parent) == ["data"]
    with pytest.raises(KeyError), unfinished(tmp_path / "other") as folder:
        (folder / "x").touch()
        raise KeyError
    assert names(tmp_path) == ["new"]


def test_what_was_killed_is_deleted_and_what_goes_on_is_not(tmp_path):
    killed, early, foreign = (
        tmp_path / f".{name}.0123abcd" for name in ("data", "early", "foreign")
    )
    for folder in (killed / "data", early, foreign):
        folder.mkdir(parents=True)
    (killed / ".unfinished").touch()
    (killed / "data" / "x").touch()
    (foreign / "x").touch()
    with unfinished(tmp_path / "data") as folder:
        # A kill before the lock, and one after it.
        assert names(tmp_path) == sorted([folder.parent.name, foreign.name])
        sweep(tmp_path)
        assert folder.exists()
    assert names(tmp_path) == [foreign.name]


def test_a_kill_while_it_is_deleted_is_seen_later(tmp_path, monkeypatch):
    folder = tmp_path / ".data.0123abcd"
    (folder / "data" / "x").mkdir(parents=True)
    (folder / ".unfinished").touch()

    def killed(path, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            sweep(tmp_path)
    # The lock goes last.
    assert (folder / ".unfinished").exists()
    rmdir, calls = os.rmdir, []

    def once(path, **kwargs):
        calls.append(path)
        if len(calls) == 2:
            raise KeyboardInterrupt
        rmdir(path, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rmdir", once)
        with pytest.raises(KeyboardInterrupt):
            sweep(tmp_path)
    assert (folder / ".unfinished").exists()
    sweep(tmp_path)
    assert names(tmp_path) == []


def test_one_that_is_swept_before_it_is_locked_is_made_again(
    tmp_path, monkeypatch
):
    acquire, swept = filelock.FileLock.acquire, []

    def late(self, *args, **kwargs):
        if not swept:
            swept.append(1)
            sweep(tmp_path)
            # What the lock's file was in.
            raise FileNotFoundError
        return acquire(self, *args, **kwargs)

    monkeypatch.setattr(filelock.FileLock, "acquire", late)
    with unfinished(tmp_path / "data") as folder:
        assert names(tmp_path) == [folder.parent.name]
    assert names(tmp_path) == []


def test_files_that_a_kill_left_are_deleted_with_the_lock(tmp_path):
    for name in (".metrics.json.17", ".hidden", "epochs.csv.17"):
        (tmp_path / name).touch()
    with locked(tmp_path):
        assert ".metrics.json.17" not in names(tmp_path)
    assert {".hidden", "epochs.csv.17"} < set(names(tmp_path))


def test_temporary_files_are_deleted_with_the_folder(tmp_path):
    before = tempfile.gettempdir()
    with (
        unfinished(tmp_path / "data") as folder,
        temporary_files_in(folder.parent),
        tempfile.NamedTemporaryFile(delete=False) as file,
    ):
        pass
    assert not list(tmp_path.iterdir()), file.name
    assert tempfile.gettempdir() == before
