"""Reading logs: which files, and what is wrong with them."""

import warnings

import pytest
import tensorflow as tf

from tests.watching.logs import request, write
from tfrec.errors import InputError, InputWarning
from tfrec.watching.reading import find_files, read_logs, total_bytes


@pytest.fixture
def path(tmp_path):
    """A log of three requests."""
    requests = [request(["a"], seconds=number) for number in (1, 2, 3)]
    return write(tmp_path / "r-1.tfrecord", requests)


def seconds(*paths):
    return [
        record.log.log_metadata.timestamp_secs for record in read_logs(paths)
    ]


def test_files_folders_patterns_and_prefixes(tmp_path):
    for name in ("r-2.tfrecord", "r-1.tfrecord", "s-1.tfrecord", ".hidden"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()

    def names(*given):
        given = [str(tmp_path / each) for each in given]
        return [path.name for path in find_files(given)]

    both = ["r-1.tfrecord", "r-2.tfrecord"]
    assert names("") == [*both, "s-1.tfrecord"]
    assert names("r") == both
    assert names("r-*") == both
    assert names("r-2.tfrecord", "r") == both[::-1]
    for nothing in ("t", "t*", "folder"):
        with pytest.raises(InputError, match=f"Nothing was found.*{nothing}"):
            names(nothing)


def test_records_have_their_places_and_progress_is_told(path):
    done = []
    places = [record.place for record in read_logs([path, path], done.append)]
    assert places == [f"{path}, record {n}" for n in (1, 2, 3)] * 2
    assert done[-1] == total_bytes([path, path])


@pytest.mark.parametrize("cut", [1, 20, "head"])
def test_a_record_that_is_cut_short_is_left_out_and_said(path, cut):
    content = path.read_bytes()
    if cut == "head":
        # Of the record's length and its checksum, 12 bytes, 5 are there.
        cut = len(content) // 3 - 5
    path.write_bytes(content[:-cut])
    with pytest.warns(InputWarning, match=r"r-1\.tfrecord ends within record"):
        assert seconds(path) == [1, 2]
    # A file that follows is read.
    with pytest.warns(InputWarning, match="record 3, which is left out"):
        assert seconds(path, write(path.with_name("s"), [request(["a"])]))[
            2:
        ] == [1_700_000_000]


def test_a_file_that_is_deleted_meanwhile_is_said(path):
    gone = path.with_name("r-0.tfrecord")
    assert total_bytes([gone, path]) == total_bytes([path])
    with pytest.warns(InputWarning, match=r"r-0\.tfrecord is gone"):
        assert seconds(gone, path) == [1, 2, 3]


def test_a_whole_file_says_nothing(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert seconds(path) == [1, 2, 3]


def test_damage_is_named_with_its_record(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"r-1.*is damaged: record 2: corrupt"):
        seconds(path)


def test_what_is_no_log_is_refused(path):
    path.write_text("user,item\n" * 9)
    with pytest.raises(InputError, match=r"r-1\.tfrecord must be a log of req"):
        seconds(path)
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(b"\xff\xff")
    with pytest.raises(InputError, match="record 1 is no PredictionLog"):
        seconds(path)
