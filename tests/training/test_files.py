import errno
import os

import pytest

from tfrec.errors import InputError
from tfrec.outputs import check_output, check_replaceable
from tfrec.training.files import (
    locked,
    read_json,
    replacing,
    write_json,
    write_text,
)


def test_json_comes_back(tmp_path):
    values = {"a": 1 / 3, "b": [None, True], "c": "é"}
    write_json(tmp_path / "x.json", values)
    assert read_json(tmp_path / "x.json") == values


def test_a_link_stays_one(tmp_path):
    (tmp_path / "real").mkdir()
    write_text(tmp_path / "real" / "x.txt", "old")
    (tmp_path / "link").symlink_to(tmp_path / "real" / "x.txt")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "x.txt").read_text() == "new"
    assert len(list(tmp_path.rglob("*"))) == 3


@pytest.mark.parametrize("check", [check_output, check_replaceable])
def test_what_is_there_and_no_file_is_not_replaced(tmp_path, check):
    check(tmp_path / "new")
    (tmp_path / "old").touch()
    check(tmp_path / "old")
    os.mkfifo(tmp_path / "pipe")
    for name, kind in (("pipe", "a device"), ("", "a folder")):
        with pytest.raises(InputError, match=f"must be a file.*{kind}"):
            check(tmp_path / name)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "x.txt"
    write_text(path, "old")

    with (
        pytest.raises(
            InputError, match=r"No space left on device.*`--run_dir`"
        ),
        replacing(path) as file,
    ):
        file.write(b"half of the")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_locked_for_others_until_the_end(tmp_path):
    with (
        locked(tmp_path / "run"),
        pytest.raises(InputError, match="Another process is training"),
        locked(tmp_path / "run"),
    ):
        pass
    with locked(tmp_path / "run"):
        pass


def test_damaged_json_is_named(tmp_path):
    path = tmp_path / "x.json"
    for text in ("{", "[1]", "\xff"):
        path.write_text(text, encoding="latin-1")
        with pytest.raises(InputError, match=r"x\.json cannot be read"):
            read_json(path)
