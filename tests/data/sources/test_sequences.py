import pytest

from tfrec.data.config import DataConfig
from tfrec.data.sources import get_source
from tfrec.errors import InputError


def read(engine, path, **settings):
    config = DataConfig(dataset="sequences", raw_dir=str(path), **settings)
    table = get_source("sequences").read(engine, config).table
    found = table.order_by("position").to_pyarrow().to_pylist()
    positions = [row["position"] for row in found]
    assert len(set(positions)) == len(positions)
    assert [row["timestamp"] for row in found] == positions
    return [(row["sequence"], row["item"]) for row in found]


def test_a_line_is_an_id_and_its_items_in_order(engine, tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("u b  a\tb\n\n v c\n")
    assert read(engine, path) == [
        ("u", "b"),
        ("u", "a"),
        ("u", "b"),
        ("v", "c"),
    ]


def test_lines_without_ids_are_numbered(engine, tmp_path):
    (tmp_path / "log.txt").write_text("7 8\n7\n")
    assert read(engine, tmp_path, sequence_ids=False) == [
        ("1", "7"),
        ("1", "8"),
        ("2", "7"),
    ]


def test_an_id_on_two_lines_is_refused(engine, tmp_path):
    # Most likely these are items, and the lines have no ids.
    path = tmp_path / "log.txt"
    path.write_text("7 8\n9 1\n7 3\n")
    with pytest.raises(InputError, match=r"line 3:.*--nosequence_ids.*'7 3'"):
        read(engine, path)


def test_an_id_without_items_is_refused(engine, tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("u 8\nv\n")
    with pytest.raises(InputError, match=r"line 2: expected an id and at lea"):
        read(engine, path)


def test_text_that_is_not_utf8_is_named(engine, tmp_path):
    path = tmp_path / "log.txt"
    path.write_bytes(b"u 8\nv \xe9\n")
    with pytest.raises(InputError, match=r"log\.txt, line 2.*utf-8"):
        read(engine, path)


def test_an_empty_file_has_no_interactions(engine, tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("")
    assert read(engine, path) == []


def test_a_missing_file_is_named(engine, tmp_path):
    with pytest.raises(InputError, match=r"`--raw_dir`.*with 0 such files"):
        read(engine, tmp_path)


def test_yelp_of_s3rec_has_its_published_counts(engine, real_data):
    path = real_data / "yelp_s3rec" / "sequences.txt"
    found = read(engine, path)
    assert len(found) == 316354
    assert len({sequence for sequence, _ in found}) == 30431
    assert len({item for _, item in found}) == 20033
