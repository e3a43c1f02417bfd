import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tests.prepared import record_batch
from tests.properties import examples
from tfrec.data.records import (
    ShardWriter,
    check_file,
    find_corrupt_record,
    verify_file,
)
from tfrec.errors import InputError
from tfrec.integrity import file_checksum


def write(folder, rows, shards=3, batches=1):
    """Writes rows of (items, targets) and returns the summary."""
    with ShardWriter(folder, "train", shards) as writer:
        for part in range(batches):
            writer.write(record_batch(rows[part::batches]))
    return writer.summary


def read(path):
    """Returns (id, user, items, targets) of each record."""
    found = []
    for record in tf.data.TFRecordDataset(str(path)):
        example = tf.train.Example.FromString(record.numpy()).features.feature
        (name,) = example["id"].bytes_list.value
        user, items, targets = (
            list(example[key].int64_list.value)
            for key in ("user", "items", "targets")
        )
        found.append((name.decode(), sum(user), items, targets))
    return found


ROWS = [([i + 1] * (i + 2), [i + 2][: i % 2]) for i in range(8)]


LISTS = pa.list_(pa.int64())
INDICES = st.lists(st.integers(1, 2**62), max_size=5)
RECORDS = st.tuples(
    st.text(st.characters(codec="utf-8"), max_size=8),
    st.integers(0, 2**62),
    INDICES.filter(bool),
    INDICES,
)


@examples(10)
@given(st.lists(RECORDS, max_size=12), st.integers(1, 4), st.integers(1, 13))
def test_property_records_are_dealt_to_the_shards_in_turn(records, shards, cut):
    columns = zip(*records, strict=True) if records else [()] * 4
    types = (pa.string(), pa.int64(), LISTS, LISTS)
    arrays = map(pa.array, columns, types)
    names = ("id", "user", "items", "targets")
    table = pa.table(dict(zip(names, arrays, strict=True)))
    with tempfile.TemporaryDirectory() as folder:
        with ShardWriter(folder, "train", shards) as writer:
            for batch in table.to_batches(max_chunksize=cut):
                writer.write(batch)
        for number, shard in enumerate(writer.summary["shards"]):
            path = Path(folder, shard["file"])
            assert path.name == f"train-{number:05d}-of-{shards:05d}.tfrecord"
            expected = records[number::shards]
            assert read(path) == expected
            assert shard["records"] == len(expected)
            assert shard["bytes"] == path.stat().st_size
            assert shard["sha256"] == file_checksum(path)
            verify_file(folder, shard)
    lengths = [len(items) for _, _, items, _ in records]
    assert writer.summary["records"] == len(records)
    assert writer.summary["tokens"] == sum(lengths)
    assert writer.summary["max_length"] == max(lengths, default=0)


def test_the_same_records_give_the_same_bytes(tmp_path):
    summaries = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        summaries.append(write(tmp_path / name, ROWS))
    assert summaries[0] == summaries[1]


def test_a_split_without_records_has_empty_shards(tmp_path):
    summary = write(tmp_path, [], shards=2)
    assert (summary["records"], summary["max_length"]) == (0, 0)
    assert [shard["bytes"] for shard in summary["shards"]] == [0, 0]


def test_sliced_and_null_columns_are_read_as_they_look(tmp_path):
    lists = pa.list_(pa.int64())
    batch = pa.record_batch(
        {
            "id": ["a", "b", "é", "d"],
            "user": [0, 0, 0, 0],
            "items": pa.array([[1], [2, 3], [4], [5]], lists),
            "targets": pa.array([[9], None, [8, 7], [6]], lists),
        }
    )
    with ShardWriter(tmp_path, "test", 1) as writer:
        writer.write(batch.slice(1, 2))
        writer.write(batch.drop_columns("targets").slice(3))
    assert read(tmp_path / "test-00000-of-00001.tfrecord") == [
        ("b", 0, [2, 3], []),
        ("é", 0, [4], [8, 7]),
        ("d", 0, [5], []),
    ]


@pytest.mark.parametrize("items", [[], [3, 0], [-1], None, [1, None]])
def test_empty_rows_and_padding_are_refused(tmp_path, items):
    batch = pa.record_batch(
        {
            "id": ["a"],
            "user": [1],
            "items": pa.array([items], pa.list_(pa.int32())),
        }
    )
    with (
        pytest.raises(ValueError, match=r"has no items|start at 1"),
        ShardWriter(tmp_path, "train", 1) as writer,
    ):
        writer.write(batch)


def test_an_unwritable_folder_is_an_input_error(tmp_path):
    with (
        pytest.raises(InputError, match=r"nowhere.*--data_dir"),
        ShardWriter(tmp_path / "nowhere", "train", 1),
    ):
        pass


@pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="needs a device that is always full"
)
def test_a_full_disk_is_an_input_error(tmp_path):
    (tmp_path / "train-00000-of-00001.tfrecord").symlink_to("/dev/full")
    with pytest.raises(InputError, match="No space left on device"):
        write(tmp_path, ROWS, shards=1)


def damage(path, position):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def test_a_changed_byte_is_found_with_its_record(tmp_path):
    (shard,) = write(tmp_path, ROWS, shards=1)["shards"]
    path = tmp_path / shard["file"]
    assert find_corrupt_record(path) is None
    damage(path, -5)  # In the last record's data.
    check_file(tmp_path, shard)  # The size alone does not tell.
    assert find_corrupt_record(path).startswith("record 8: corrupted record")
    with pytest.raises(InputError, match=rf"{shard['file']}.*record 8"):
        verify_file(tmp_path, shard)


def test_a_truncated_shard_is_found_with_its_record(tmp_path):
    (shard,) = write(tmp_path, ROWS, shards=1)["shards"]
    path = tmp_path / shard["file"]
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(InputError, match="record 8: truncated record"):
        check_file(tmp_path, shard)


def test_a_shard_cut_between_records_is_found_by_its_size(tmp_path):
    (shard,) = write(tmp_path, ROWS, shards=1)["shards"]
    (shorter,) = write(tmp_path, ROWS[:-1], shards=1)["shards"]
    with pytest.raises(InputError) as error:
        check_file(tmp_path, shard)
    assert f"expected {shard['bytes']} bytes" in str(error.value)
    assert f"received {shorter['bytes']}" in str(error.value)
    assert "prepare the dataset again" in str(error.value)


def test_a_missing_shard_is_named(tmp_path):
    (shard,) = write(tmp_path, ROWS, shards=1)["shards"]
    (tmp_path / shard["file"]).unlink()
    with pytest.raises(InputError, match=rf"{shard['file']} is missing"):
        check_file(tmp_path, shard)


def test_a_record_that_is_no_example_is_found(tmp_path):
    path = tmp_path / "x.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(tf.train.Example().SerializeToString())
        writer.write(b"\xff\xff")
    assert find_corrupt_record(path) == "record 2: not a tf.train.Example"
