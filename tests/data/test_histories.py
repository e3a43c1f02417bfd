"""Everybody of a dataset, each once, with all that they did."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.prepared import prepare_sequences
from tfrec.data import DataConfig, prepare
from tfrec.data.histories import Histories


def read(data, names=None, size=2):
    histories = Histories(data, names)
    found = [h for _, block in histories.blocks(size) for h in block]
    assert len(found) == len(histories)
    return {h.name: (h.user, h.items.tolist()) for h in found}


def test_a_user_of_the_test_has_history_and_targets(tmp_path):
    data = prepare_sequences(
        tmp_path,
        train=[[1, 2], [3, 4]],
        tails=[[5], [1]],
        validation=[([1, 2], [5]), ([3, 4], [1])],
        # The third is not trained on; 7 and 8 are items that only this has.
        test=[([1, 2, 5], [3, 7]), ([3, 4, 1], [2]), ([5], [8, 4])],
        num_items=5,
    )
    assert read(data) == {
        "u0": (1, [1, 2, 5, 3]),
        "u1": (2, [3, 4, 1, 2]),
        "u2": (0, [5, 4]),
    }


@pytest.mark.parametrize("protocol", ["leave_one_out", "temporal"])
def test_a_real_preparation_gives_back_every_sequence(protocol, tmp_path):
    rng = np.random.default_rng(0)
    rows, expected = [], {}
    for user, length in enumerate(rng.integers(2, 9, 40)):
        times = np.sort(rng.choice(1000, length, replace=False))
        items = [f"i{n}" for n in rng.integers(0, 9, length)]
        expected[f"u{user}"] = items
        rows += [
            {"user": f"u{user}", "item": item, "time": int(time)}
            for item, time in zip(items, times, strict=True)
        ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "log.parquet")
    data = prepare(
        DataConfig(
            dataset="csv",
            raw_dir=tmp_path / "log.parquet",
            data_dir=tmp_path / "data",
            sequence_column="user",
            item_column="item",
            timestamp_column="time",
            min_sequence_length=1,
            protocol=protocol,
            **({"timestamps_per_second": 1} if protocol == "temporal" else {}),
        )
    )
    found = {
        name: data.vocabulary.lookup(items)
        for name, (_, items) in read(data, size=7).items()
    }
    known = set(data.vocabulary.items)
    # Who came after the cut of `temporal`, or with one event before it and
    # none after, is not in the dataset.
    assert len(found) > 30 and set(found) <= set(expected)
    if protocol == "temporal":
        assert data.manifest.splits["late"]["records"]
    else:
        assert set(found) == set(expected)
    for name, items in found.items():
        assert items == [item for item in expected[name] if item in known]


def test_sessions_are_those_of_all_splits(tmp_path):
    data = prepare_sequences(
        tmp_path,
        train=[[1, 2, 3]],
        validation=[([4, 5], [])],
        test=[([9, 1], []), ([9, 9], [])],
        num_items=5,
        protocol="next_click",
    )
    histories = Histories(data)
    found = [h for _, block in histories.blocks(3) for h in block]
    assert [h.items.tolist() for h in found] == [[1, 2, 3], [4, 5], [1], []]
    assert len(histories) == 4


def test_some_users_and_some_blocks_can_be_named(tmp_path):
    rows = [[n + 1, n + 2] for n in range(9)]
    data = prepare_sequences(tmp_path, rows, shards=1)
    histories = Histories(data, ["u7", "nobody", "u1", "u2", "u1"])
    assert histories.missing == ["nobody"]
    assert len(histories) == 3
    blocks = [
        (number, [h.name for h in block])
        for number, block in Histories(data).blocks(2, lambda n: n in (1, 4))
    ]
    assert blocks == [(1, ["u2", "u3"]), (4, ["u8"])]
    assert list(Histories(data).blocks(2, lambda n: False)) == []
