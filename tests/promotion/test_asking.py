"""Tests of asking a version on another test than that of its run."""

import numpy as np
import pytest
from tensorflow.core.framework.tensor_shape_pb2 import TensorShapeProto
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef, TensorInfo

from tests.prepared import prepare_sequences
from tfrec.errors import InputError
from tfrec.promotion import asking, bounds
from tfrec.promotion.asking import ask
from tfrec.training.comparison import Measured

# The version knows none of 6 and 7; 8 is only in the test.
TEST = [([1, 2], [3, 5]), ([6, 4, 8], [1]), ([2], [7]), ([4], [8, 3])]


class Listing:
    """A servable whose lists are items 3, 1, and one that is gone."""

    def __init__(self):
        self.asked = []
        self.closed = False

    def recommending(self):
        sizes = [TensorShapeProto.Dim(size=size) for size in (-1, 3)]
        shape = TensorShapeProto(dim=sizes)
        return SignatureDef(outputs={"items": TensorInfo(tensor_shape=shape)})

    def run(self, signature, inputs, outputs):
        assert list(outputs) == ["items"]
        rows = inputs["history"]
        self.asked += [[item for item in row if item] for row in rows]
        return {
            "items": np.array([[b"item 3", b"item 1", b"gone"]] * len(rows))
        }

    def close(self):
        self.closed = True


@pytest.fixture
def data(tmp_path):
    return prepare_sequences(
        tmp_path / "data", [[1, 2, 3], [4, 5, 6, 7]], TEST, TEST, num_items=7
    )


@pytest.fixture
def version(data, tmp_path):
    settings = {"data": dict(data.manifest.settings)}
    return Measured(tmp_path / "home" / "1", settings, {}, data.data_dir)


@pytest.fixture
def servable(monkeypatch):
    servable = Listing()
    monkeypatch.setattr(asking, "load_version", lambda _: servable)
    return servable


def test_targets_are_ranked_by_the_lists(version, data, servable):
    asked = ask(version, data, "mrr@3")
    assert servable.closed
    assert sorted(servable.asked) == sorted(
        [f"item {i}" for i in history if i < 8] for history, _ in TEST
    )
    for metric, expected in {
        "recall@1": np.mean([1 / 2, 0, 0, 1 / 2]),
        "mrr@3": np.mean([1, 1 / 2, 0, 1]),
    }.items():
        assert asked.totals(metric).mean == pytest.approx(expected)
    found = bounds.compare(asked, asked, "mrr@3", 0)
    assert found.asked
    assert (found.low, found.high, found.users) == (0, 0, 4)
    assert "home/1, asked on this test: " in str(found)


def test_lists_that_are_too_short_are_refused(version, data, servable):
    with pytest.raises(InputError, match=r"`--metric` at 3 at most.*ndcg@10"):
        ask(version, data, "ndcg@10")
    assert servable.closed


def test_lists_of_other_items_are_refused(version, data):
    version.settings["data"]["rank_history"] = True
    with pytest.raises(InputError, match=r"is ranked, .* is excluded"):
        ask(version, data, "recall@2")
