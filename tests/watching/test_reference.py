"""What requests are compared with, and where its data are."""

import dataclasses
import json

import numpy as np
import pytest

from tests.prepared import prepare_sequences
from tests.watching.logs import request, write
from tfrec.data.histories import History
from tfrec.errors import InputError
from tfrec.lists.source import Listed
from tfrec.serving.checksums import write_checksums
from tfrec.watching.config import WatchConfig
from tfrec.watching.reference import Asking, read_pool
from tfrec.watching.watching import data_of_export, watch

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


class Source:
    """Recommends to each user what is named after it."""

    def best(self, histories):
        self.histories = histories
        return [
            Listed([f"item {h.user + 1}", "x"], [-1, -2]) for h in histories
        ]


@pytest.mark.parametrize("with_users", [False, True])
def test_who_asks_is_told_where_the_log_names_users(tmp_path, with_users):
    data = prepare_sequences(tmp_path, TRAIN)
    asking = Asking(Source(), data, with_users)
    asked = [History("u1", 2, np.array([1])), History("u0", 1, np.array([2]))]
    answers = asking.answers(asked)
    names = [(h.name, h.user) for h in asking.source.histories]
    assert names == ([("u1", 2), ("u0", 1)] if with_users else [("", 0)] * 2)
    first = [answer.items.tolist() for answer in answers]
    assert first == ([[3, 0], [2, 0]] if with_users else [[1, 0]] * 2)
    assert answers[0].scores == (-1, -2)


def make_version(folder):
    """Makes a version that has no card."""
    (folder / "assets.extra").mkdir(parents=True)
    (folder / "saved_model.pb").touch()
    return folder


def write_card(version, data):
    """Writes a card that names a dataset."""
    card = {
        "format_version": 1,
        "run": {
            "data_dir": str(data.data_dir),
            "settings": {"data": data.manifest.settings},
            "numbers": {"data_checksum": data.manifest.data_checksum},
        },
    }
    (version / "assets.extra" / "card.json").write_text(json.dumps(card))
    write_checksums(version)


def test_a_card_names_the_dataset_of_a_version(tmp_path):
    data = prepare_sequences(tmp_path / "data", TRAIN)
    version = make_version(tmp_path / "models" / "home" / "5")
    config = WatchConfig(log=("x",), export_dir=tmp_path / "models")
    with pytest.raises(InputError, match=r"`--data_dir` must be.*tfrec promot"):
        data_of_export(config, "home", 5)
    write_card(version, data)
    assert data_of_export(config, "home", 5).data_dir == tmp_path / "data"
    # Another dataset, be it in the same place or named.
    other = prepare_sequences(tmp_path / "other", TRAIN[1:])
    config = dataclasses.replace(config, data_dir=str(other.data_dir))
    with pytest.raises(
        InputError, match=r"other is not the dataset that .*5 w"
    ):
        data_of_export(config, "home", 5)


@pytest.mark.parametrize("named", [False, True])
def test_the_dataset_is_that_of_the_version_that_answered(tmp_path, named):
    """And not that of the newest; the log alone names the model."""
    train = {3: [[3, 5]], 4: TRAIN, 5: [[4, 5], [5, 4, 1]]}
    for number, sequences in train.items():
        data = prepare_sequences(tmp_path / str(number), sequences)
        version = make_version(tmp_path / "models" / "home" / str(number))
        write_card(version, data)
    make_version(tmp_path / "models" / "away" / "1")
    # What has no card need have none, if it did not answer.
    make_version(tmp_path / "models" / "home" / "6")
    requests = [request([f"item {n}"], version=4) for n in (1, 2, 3, 4)]
    # An older one answered first.
    requests = [request(["item 5"], version=3), *requests]
    log = write(tmp_path / "r.tfrecord", requests)
    config = WatchConfig(
        log=(log,),
        export_dir=tmp_path / "models",
        data_dir=tmp_path / "4" if named else "",
    )
    found = watch(config)
    assert (found.name, found.version) == ("home", 4)
    assert found.data_dir == tmp_path / "4"
    assert found.unknown == [("item 4", 1)]
    if named:
        config = dataclasses.replace(config, data_dir=tmp_path / "5")
        with pytest.raises(
            InputError, match=r"5 is not the dataset that .*4 w"
        ):
            watch(config)
