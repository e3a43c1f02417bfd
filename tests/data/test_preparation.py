import errno
import itertools
import json
import random
import tracemalloc

import duckdb
import pytest
import tensorflow as tf

from tfrec.data import (
    DataConfig,
    PreparedDataset,
    card,
    preparation,
    prepare,
)
from tfrec.data.records import ShardWriter
from tfrec.errors import InputError, InputWarning

HEADER = "sequence,item,timestamp"


def make_lines(sequences=20, length=10):
    """Lines of a log: each event at a time of its own, in time order."""
    draw = random.Random(0)
    clock = itertools.count(1_000_000)
    owners = [f"u{n}" for n in range(sequences)] * length
    return [f"{u},i{draw.randrange(15)},{next(clock)}" for u in owners]


def make_config(folder, lines=None, name="log", **settings):
    path = folder / f"{name}.csv"
    if lines is not None:
        path.write_text("\n".join([HEADER, *lines]) + "\n")
    return DataConfig(
        dataset="csv",
        raw_dir=str(path),
        data_dir=str(folder / f"{name}-prepared"),
        **settings,
    )


def read_records(data, split):
    """Returns {id: (item names, target names)}."""
    found = {}
    for shard in data.manifest.splits[split]["shards"]:
        path = str(data.data_dir / shard["file"])
        for record in tf.data.TFRecordDataset(path):
            feature = tf.train.Example.FromString(record.numpy())
            feature = feature.features.feature
            lists = (
                tuple(data.vocabulary.lookup(feature[n].int64_list.value))
                for n in ("items", "targets")
            )
            (name,) = feature["id"].bytes_list.value
            found[name.decode()] = tuple(lists)
    return found


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_sequences_are_split_in_time(tmp_path):
    lines = [f"u,i{n},{n}" for n in range(20)]
    lines += [f"v,i{n},{n}" for n in range(4)]
    data = prepare(make_config(tmp_path, lines, min_sequence_length=4))
    u = tuple(f"i{n}" for n in range(20))
    v = u[:4]
    assert read_records(data, "train") == {
        "u": (u[:15], u[15:16]),
        "v": (v, ()),
    }
    assert read_records(data, "validation") == {"u": (u[:15], u[15:16])}
    assert read_records(data, "test") == {"u": (u[:16], u[16:])}
    assert data.vocabulary.items == list(u)


def test_counts_are_kept_in_the_manifest(tmp_path):
    lines = [*make_lines(3, 6), "w,i0,5", "w,i0,5"]
    manifest = prepare(make_config(tmp_path, lines)).manifest
    first, last = manifest.counts
    assert first["step"] == "raw log"
    assert (first["interactions"], first["sequences"]) == (20, 4)
    assert last["step"] == "sequences with >= 5"
    assert (last["interactions"], last["sequences"]) == (18, 3)
    assert manifest.mean_length == 6
    assert manifest.density == pytest.approx(18 / (3 * last["items"]))
    assert manifest.duplicates == 1
    assert manifest.settings["min_sequence_length"] == 5


def test_rows_that_were_skipped_are_warned_of_and_kept_in_mind(tmp_path):
    lines = [*make_lines(3, 6), "w,,5"]
    config = make_config(tmp_path, lines, bad_rows="skip", bad_rows_share=0.1)
    with pytest.warns(InputWarning, match=r"^Skipped 1 of 19 rows \(5\.26%\)"):
        data = prepare(config)
    assert data.manifest.bad_rows["expected"]["an item id"]["rows"] == 1
    assert "\nSkipped 1 of 19 rows" in card(data)
    assert prepare(config).manifest == data.manifest


def test_sequences_too_short_to_train_on_are_counted(tmp_path):
    lines = ["u,a,1", "v,a,1", "v,b,2"]
    data = prepare(make_config(tmp_path, lines, min_sequence_length=1))
    assert set(read_records(data, "train")) == {"v"}
    assert data.manifest.short_sequences == 1


def test_the_order_of_lines_changes_no_sequence(tmp_path):
    lines = make_lines()
    shuffled = random.Random(1).sample(lines, len(lines))
    data = prepare(make_config(tmp_path, lines))
    other = prepare(make_config(tmp_path, shuffled, "shuffled"))
    assert data.vocabulary.items == other.vocabulary.items
    for split in ("train", "validation", "test"):
        assert read_records(data, split) == read_records(other, split)


def test_events_at_one_time_keep_the_order_of_the_file(tmp_path):
    lines = [f"u,i{n},7" for n in (3, 1, 2, 0, 4)]
    data = prepare(make_config(tmp_path, lines))
    ((items, targets),) = read_records(data, "test").values()
    assert items + targets == ("i3", "i1", "i2", "i0", "i4")


def test_the_same_log_gives_the_same_bytes(tmp_path):
    lines = make_lines()
    first = prepare(make_config(tmp_path, lines, threads=1)).manifest
    second = prepare(make_config(tmp_path, lines, "again", threads=4)).manifest
    assert first.data_checksum == second.data_checksum


def test_what_is_prepared_is_opened_again(tmp_path):
    config = make_config(tmp_path, make_lines())
    first = prepare(config)
    written = (first.data_dir / "manifest.json").stat()
    again = prepare(config)
    assert (again.data_dir / "manifest.json").stat() == written


def test_other_settings_for_one_folder_are_named(tmp_path):
    prepare(make_config(tmp_path, make_lines()))
    config = make_config(tmp_path, protocol="leave_one_out")
    with pytest.raises(InputError) as error:
        prepare(config)
    assert "protocol=holdout (asked for: leave_one_out)" in str(error.value)
    assert "shards" not in str(error.value)


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    config = make_config(tmp_path, make_lines())
    config.data_path.mkdir()
    (config.data_path / "thesis.tex").write_text("precious")
    with pytest.raises(InputError, match="new or empty folder"):
        prepare(config)
    assert names(config.data_path) == ["thesis.tex"]


def test_an_empty_folder_is_filled(tmp_path):
    config = make_config(tmp_path, make_lines())
    config.data_path.mkdir()
    assert prepare(config).data_dir == config.data_path


def test_the_working_directory_is_not_replaced(tmp_path, monkeypatch):
    config = make_config(tmp_path, make_lines())
    config.data_path.mkdir()
    monkeypatch.chdir(config.data_path)
    with pytest.raises(InputError, match="not the working directory"):
        prepare(DataConfig(**config.to_dict() | {"data_dir": "."}))


@pytest.mark.parametrize(
    ("settings", "step", "flag"),
    [
        ({"min_sequence_length": 99}, "sequences with >= 99", "min_sequence"),
        ({"min_item_count": 999}, "items with >= 999", "min_item_count"),
    ],
)
def test_an_empty_result_names_filter_and_flag(tmp_path, settings, step, flag):
    config = make_config(tmp_path, make_lines(), **settings)
    with pytest.raises(InputError) as error:
        prepare(config)
    assert f"after the filter '{step}'" in str(error.value)
    assert f"Change `--{flag}" in str(error.value)
    assert names(tmp_path) == ["log.csv"]


def test_an_empty_log_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no interactions: .*log\.csv"):
        prepare(make_config(tmp_path, []))


def test_a_malformed_log_leaves_nothing(tmp_path):
    lines = [*make_lines(), "u0,i0"]
    with pytest.raises(InputError, match=r"log\.csv, line 202"):
        prepare(make_config(tmp_path, lines))
    assert names(tmp_path) == ["log.csv"]


def test_a_full_disk_under_the_shards_leaves_nothing(tmp_path, monkeypatch):
    def write(self, batch):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ShardWriter, "write", write)
    with pytest.raises(InputError, match=r"No space left.*`--data_dir`"):
        prepare(make_config(tmp_path, make_lines()))
    assert names(tmp_path) == ["log.csv"]


@pytest.mark.parametrize(
    "kind", [duckdb.IOException, duckdb.TransactionException]
)
def test_a_full_disk_under_the_engine_leaves_nothing(
    tmp_path, monkeypatch, kind
):
    def number_items(table):
        raise kind("No space left on device")

    monkeypatch.setattr(preparation.examples, "number_items", number_items)
    with pytest.raises(InputError, match=r"No space left.*`--data_dir`"):
        prepare(make_config(tmp_path, make_lines()))
    assert names(tmp_path) == ["log.csv"]


def test_an_interruption_leaves_nothing(tmp_path, monkeypatch):
    def write(self, batch):
        raise KeyboardInterrupt

    monkeypatch.setattr(ShardWriter, "write", write)
    with pytest.raises(KeyboardInterrupt):
        prepare(make_config(tmp_path, make_lines()))
    assert names(tmp_path) == ["log.csv"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    config = make_config(tmp_path, make_lines())
    blocked = tmp_path / "file"
    blocked.write_text("")
    config = DataConfig(
        **config.to_dict() | {"data_dir": str(blocked / "inside")}
    )
    with pytest.raises(InputError, match=r"Cannot prepare .*inside"):
        prepare(config)


def test_too_little_memory_names_its_flag(tmp_path):
    config = make_config(tmp_path, make_lines(), memory_limit="1KB")
    with pytest.raises(InputError, match="`--memory_limit`=1KB"):
        prepare(config)
    assert names(tmp_path) == ["log.csv"]


def test_another_process_may_be_quicker(tmp_path, monkeypatch):
    config = make_config(tmp_path, make_lines())
    slow = preparation._write

    def write(*arguments):
        monkeypatch.setattr(preparation, "_write", slow)
        prepare(config)
        return slow(*arguments)

    monkeypatch.setattr(preparation, "_write", write)
    data = prepare(config)
    data.verify()
    assert names(tmp_path) == ["log-prepared", "log.csv"]


def test_titles_are_those_of_the_vocabulary(tmp_path):
    ratings = [f"1::{n}::{2 + n % 4}::{978300760 + n}" for n in range(12)]
    (tmp_path / "ratings.dat").write_text("\n".join(ratings) + "\n")
    movies = [f"{n}::Film\t{n} (1995)::Drama|War" for n in range(99)]
    (tmp_path / "movies.dat").write_text("\n".join(movies) + "\n")
    config = DataConfig(
        dataset="ml-1m", raw_dir=str(tmp_path), data_dir=str(tmp_path / "out")
    )
    data = prepare(config)
    assert data.titles == {
        str(n): f"Film {n} (1995)" for n in range(12) if 2 + n % 4 > 3
    }
    assert data.columns == {"genre": dict.fromkeys(data.titles, "Drama")}


def test_small_data_have_few_shards(tmp_path):
    data = prepare(make_config(tmp_path, make_lines(1001, 5), shards=3))
    assert {len(s["shards"]) for s in data.manifest.splits.values()} == {2}


def test_the_log_is_never_held_in_python(tmp_path, monkeypatch):
    lines = make_lines(2000, 100)
    monkeypatch.setattr(preparation, "_BATCH_ROWS", 5000)
    config = make_config(tmp_path, lines)
    del lines
    tracemalloc.start()
    prepare(config)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # 200,000 rows; as Python objects they would take some 50 MB.
    assert peak < 5_000_000


def test_all_is_written_before_the_folder_has_its_name(tmp_path, monkeypatch):
    config = make_config(tmp_path, make_lines())
    save = preparation.Manifest.save

    def check(self, folder):
        assert not config.data_path.exists()
        save(self, folder)

    monkeypatch.setattr(preparation.Manifest, "save", check)
    data = prepare(config)
    shards = [
        s["file"] for m in data.manifest.splits.values() for s in m["shards"]
    ]
    assert names(data.data_dir) == sorted(
        [*shards, "items.txt", "manifest.json", "users.txt"]
    )
    assert json.loads((data.data_dir / "manifest.json").read_text())
    PreparedDataset.open(data.data_dir).verify()


def test_ml_1m_has_its_published_counts(tmp_path, real_data):
    config = DataConfig(
        dataset="ml-1m",
        raw_dir=str(real_data / "ml-1m"),
        data_dir=str(tmp_path / "out"),
    )
    data = prepare(config)
    last = data.manifest.counts[-1]
    assert last["interactions"] == 575_272
    assert last["sequences"] == 6_034
    assert last["items"] == data.num_items == 3_533
    assert round(data.manifest.mean_length, 2) == 95.34
    assert data.manifest.duplicates == 0
    assert len(data.titles) == 3_533
    assert (
        data.titles["2731"] == "400 Blows, The (Les Quatre cents coups) (1959)"
    )


def test_ml_latest_small_has_its_published_counts(tmp_path, real_data):
    config = DataConfig(
        dataset="ml-latest-small",
        raw_dir=str(real_data / "ml-latest-small"),
        data_dir=str(tmp_path / "out"),
        truncate_before_split=200,
    )
    data = prepare(config)
    *_, before, after = data.manifest.counts
    assert (before["sequences"], before["items"]) == (604, 7_363)
    assert after["interactions"] == 45_560
    assert after["items"] == data.num_items == 6_344
    assert data.manifest.duplicates == 0
