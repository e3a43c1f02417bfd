"""What requests are compared with, and where its data are."""

import json

import numpy as np
import pytest

from tests.prepared import prepare_sequences
from tfrec.errors import InputError
from tfrec.serving.checksums import write_checksums
from tfrec.watching.config import WatchConfig
from tfrec.watching.reference import read_pool
from tfrec.watching.watching import data_of_export

TRAIN = [[1, 2, 3], [2, 3], [3, 1, 2, 1]]


def test_the_test_stands_for_requests(tmp_path):
    test = [([1, 2], [3]), ([2], [3]), ([1, 2, 3], [1])]
    data = prepare_sequences(tmp_path, TRAIN, test, test)
    pool = read_pool(data, most=2)
    assert pool.name == "test"
    assert sorted(pool.lengths) == [1, 2, 3]
    assert pool.items.tolist() == [2, 3, 1]
    assert len(pool.chosen) == 2
    for history in pool.chosen:
        row = int(history.name[1:])
        assert (history.user, history.items.tolist()) == (row + 1, test[row][0])
    again = read_pool(data, most=2, seed=0)
    assert [h.name for h in again.chosen] == [h.name for h in pool.chosen]


def test_without_a_test_the_validation_and_without_both_everything(tmp_path):
    validation = [([1], [2])]
    data = prepare_sequences(tmp_path / "a", TRAIN, validation)
    pool = read_pool(data, most=9)
    assert (pool.name, pool.lengths.tolist()) == ("validation", [1])
    data = prepare_sequences(tmp_path / "b", TRAIN)
    pool = read_pool(data, most=9)
    assert pool.name == "training"
    assert sorted(pool.lengths) == [2, 3, 4]
    rows = {history.name: history.items.tolist() for history in pool.chosen}
    assert rows == {f"u{n}": row for n, row in enumerate(TRAIN)}
    np.testing.assert_array_equal(pool.items, [3, 3, 3])


def test_a_card_names_the_dataset_of_a_version(tmp_path):
    prepare_sequences(tmp_path / "data", TRAIN)
    version = tmp_path / "models" / "home" / "5"
    (version / "assets.extra").mkdir(parents=True)
    (version / "saved_model.pb").touch()
    config = WatchConfig(log=("x",), export_dir=tmp_path / "models")
    with pytest.raises(InputError, match=r"`--data_dir` must be.*tfrec promot"):
        data_of_export(config)
    card = {"format_version": 1, "run": {"data_dir": str(tmp_path / "data")}}
    (version / "assets.extra" / "card.json").write_text(json.dumps(card))
    write_checksums(version)
    assert data_of_export(config).data_dir == tmp_path / "data"
