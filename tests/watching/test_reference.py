"""What requests are compared with, and where its data are."""

import json

import numpy as np
import pytest

from tests.prepared import prepare_sequences
from tfrec.data.histories import History
from tfrec.errors import InputError
from tfrec.lists.source import Listed
from tfrec.serving.checksums import write_checksums
from tfrec.watching.config import WatchConfig
from tfrec.watching.reference import Asking, read_pool
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
