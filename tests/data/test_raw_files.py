import pytest

from tfrec.data import raw_files
from tfrec.errors import InputError


def write(folder, **contents):
    paths = []
    for name, content in contents.items():
        path = folder / f"{name}.csv"
        path.write_bytes(content)
        paths.append(path)
    return paths


def test_a_change_is_found_wherever_it_is(tmp_path):
    size = 1 << 18
    (path,) = write(tmp_path, a=bytes(size))
    before = raw_files.describe([path])
    for place in (0, size // 2, size - 1):
        content = bytearray(size)
        content[place] = 1
        path.write_bytes(content)
        found = raw_files.describe([path], before)
        assert raw_files.changes(before, found) == [
            "a.csv has other content of the same size"
        ]
        assert raw_files.digest(found) != raw_files.digest(before)


def test_files_that_seem_the_same_are_not_read_again(tmp_path, monkeypatch):
    paths = write(tmp_path, a=b"1", b=b"2")
    before = raw_files.describe(paths)
    monkeypatch.setattr(raw_files, "file_checksum", None)
    assert raw_files.describe(paths, before) == before


def test_files_that_come_and_go_are_named(tmp_path):
    one, two, three = write(tmp_path, a=b"1", b=b"2", c=b"3")
    before, now = map(raw_files.describe, ([one, two], [two, three]))
    assert raw_files.changes(before, now) == ["a.csv is gone", "c.csv is new"]
    assert raw_files.changes(before, before) == []
    assert raw_files.describe([]) == raw_files.changes([], []) == []


def test_files_of_one_name_are_told_apart_wherever_they_lie(tmp_path):
    logs = []
    for place in ("here", "there"):
        paths = []
        for day in ("monday", "tuesday"):
            folder = tmp_path / place / day
            folder.mkdir(parents=True)
            paths += write(folder, part=day.encode())
        logs.append(raw_files.describe(paths))
    assert [e["file"] for e in logs[0]] == [
        "monday/part.csv",
        "tuesday/part.csv",
    ]
    assert raw_files.changes(*logs) == []
    assert raw_files.digest(logs[0]) == raw_files.digest(logs[1])


def test_what_an_earlier_version_knew_is_compared(tmp_path):
    ratings, movies = write(tmp_path, ratings=b"12", movies=b"1")
    found = raw_files.describe([ratings], titles=[movies])
    assert not raw_files.changes([{"file": "ratings.csv", "bytes": 2}], found)
    more = raw_files.describe([ratings, movies])
    assert raw_files.changes([{"file": "ratings.csv", "bytes": 2}], more) == [
        "movies.csv is new"
    ]
    assert raw_files.changes([{"file": "ratings.csv", "bytes": 3}], found) == [
        "ratings.csv had 3 bytes and has 2"
    ]


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.csv \(`--raw_dir`\) cannot"):
        raw_files.describe([tmp_path / "gone.csv"])
