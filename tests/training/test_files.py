import errno

import pytest

from tfrec.errors import InputError
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
