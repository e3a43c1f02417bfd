"""The time before each target, beside the records."""

import json
import random
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tfrec.data import DataConfig, PreparedDataset, preparation, prepare
from tfrec.data.gaps import read_gaps, why_no_gaps
from tfrec.data.windows import read_shards
from tfrec.errors import InputError

START = 1_400_000_000
SETTINGS = {
    "holdout": {"validation_fraction": 0.3, "rank_history": True},
    "leave_one_out": {"rank_history": True},
    "next_click": {
        "test_days": 2,
        "validation_fraction": 0.3,
        "unseen_items": "keep",
    },
    "temporal": {
        "test_quantile": 0.6,
        "validation_fraction": 0.4,
        "rank_history": True,
    },
}


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """Writes events of 60 sequences, and returns the times of each."""
    draw = random.Random(0)
    times = {}
    for n in range(60):
        start = START + draw.randrange(400_000)
        pauses = [draw.randrange(0, 90_000) for _ in range(7)]
        times[f"u{n}"] = [start + sum(pauses[:i]) for i in range(8)]
    rows = [
        f"{name},i{draw.randrange(6)},{time}"
        for name, each in times.items()
        for time in each
    ]
    draw.shuffle(rows)
    path = tmp_path_factory.mktemp("log") / "log.csv"
    path.write_text("\n".join(["sequence,item,timestamp", *rows]))
    return path, times


def make_config(path, folder, **settings):
    return DataConfig(
        dataset="csv", raw_dir=str(path), data_dir=str(folder), **settings
    )


@pytest.fixture(scope="module")
def data(log, tmp_path_factory):
    """Prepares the log, in three files for each split, by protocol."""
    folder = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparation, "_SEQUENCES_PER_SHARD", 20)
        return {
            protocol: prepare(
                make_config(
                    log[0],
                    folder / protocol,
                    protocol=protocol,
                    timestamps_per_second=1,
                    **settings,
                )
            )
            for protocol, settings in SETTINGS.items()
        }


def read(data, split):
    """Yields the id and the lengths of each record, as they are evaluated."""
    shards = data.manifest.splits[split]["shards"]
    assert len(shards) > 1
    files = [str(data.data_dir / shard["file"]) for shard in shards]
    for record in read_shards(tf.constant(files)):
        feature = tf.train.Example.FromString(record.numpy()).features.feature
        yield (
            feature["id"].bytes_list.value[0].decode(),
            len(feature["items"].int64_list.value),
            len(feature["targets"].int64_list.value),
        )


@pytest.mark.parametrize("split", ["validation", "test"])
@pytest.mark.parametrize("protocol", SETTINGS)
def test_gaps_are_those_of_the_log_in_the_order_of_examples(
    data, log, protocol, split
):
    expected = []
    for name, items, targets in read(data[protocol], split):
        pauses = np.diff(log[1][name])
        if targets:
            expected.append(pauses[items - 1])
        else:
            expected += pauses[: items - 1].tolist()
    assert len(set(expected)) > 10
    found = read_gaps(data[protocol], split)
    assert found.dtype == np.float32
    assert found.tolist() == expected
    assert len(found) == data[protocol].examples(split)


def test_parts_of_a_second_are_kept(tmp_path):
    path = tmp_path / "log.csv"
    seconds = [1, 2, 3, 4.5, 6.75]
    rows = [
        f"u,i{n},2018-01-31 12:00:0{second:.3f}"
        for n, second in enumerate(seconds)
    ]
    path.write_text("\n".join(["sequence,item,timestamp", *rows]))
    config = make_config(path, tmp_path / "out", protocol="leave_one_out")
    data = prepare(config)
    assert read_gaps(data, "validation").tolist() == [1.5]
    assert read_gaps(data, "test").tolist() == [2.25]


def test_a_log_without_a_unit_says_what_is_missing(log, data, tmp_path):
    plain = prepare(make_config(log[0], tmp_path / "out", rank_history=True))
    assert read_gaps(plain, "test") is None
    assert "--timestamps_per_second" in why_no_gaps(plain, "test")
    assert not list(plain.data_dir.glob("*gaps*"))


def test_data_of_earlier_names_the_command_that_adds_them(log, data, tmp_path):
    whole = data["leave_one_out"]
    folder = tmp_path / "old"
    shutil.copytree(whole.data_dir, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["checksum"]
    for split in ("validation", "test"):
        del manifest["splits"][split]["gaps"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    old = PreparedDataset.open(folder)
    old.verify()
    assert old.manifest.data_checksum == whole.manifest.data_checksum
    assert read_gaps(old, "test") is None
    why = why_no_gaps(old, "test")
    assert f"--raw_dir={log[0]}" in why
    assert f"--data_dir={folder}" in why


def test_a_changed_file_is_named(data, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(data["next_click"].data_dir, folder)
    path = folder / "test-gaps.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    changed = PreparedDataset.open(folder)
    with pytest.raises(InputError, match=r"test-gaps\.npz is damaged: exp"):
        changed.verify()
    path.write_bytes(content[:-9])
    with pytest.raises(InputError, match=r"test-gaps\.npz is damaged"):
        PreparedDataset.open(folder)
    path.unlink()
    with pytest.raises(InputError, match=r"test-gaps\.npz is missing"):
        PreparedDataset.open(folder)
    with pytest.raises(InputError, match=r"test-gaps\.npz cannot be read"):
        read_gaps(changed, "test")
