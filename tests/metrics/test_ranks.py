"""Tests of the ranks that a run keeps."""

import io

import numpy as np
import pytest

from tfrec.errors import InputError
from tfrec.metrics.ranking import NDCG, NEVER, Recall
from tfrec.metrics.ranks import Ranks, padded

RANKS = Ranks(
    np.int32([[1, 3, 0], [NEVER, 0, 0], [0, 0, 0], [2, 40_000_000, 9]]),
    np.int32([0, 1, 1, 300]),
    np.int64([5, 0, 7]),
)


def test_what_is_saved_is_read_again(tmp_path):
    with open(tmp_path / "ranks.npz", "wb") as file:
        RANKS.save(file)
    found = Ranks.load(tmp_path / "ranks.npz")
    np.testing.assert_array_equal(found.targets, RANKS.targets)
    np.testing.assert_array_equal(found.records, RANKS.records)
    np.testing.assert_array_equal(found.shown, RANKS.shown)


def test_a_target_takes_a_few_bytes():
    rng = np.random.default_rng(0)
    ranks = rng.integers(1, 10_000, [50_000, 1]).astype(np.int32)
    file = io.BytesIO()
    records = np.arange(50_000, dtype=np.int32)
    Ranks(ranks, records, np.zeros(10, np.int64)).save(file)
    assert len(file.getvalue()) < 3 * 50_000


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "ranks.npz"
    with open(path, "wb") as file:
        RANKS.save(file)
    whole = path.read_bytes()
    for damaged in (whole[:50], b"", b"nothing of the kind"):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"ranks\.npz cannot be read"):
            Ranks.load(path)


def test_values_are_those_of_each_example():
    # The third example has no target.
    np.testing.assert_allclose(
        RANKS.values(Recall(2)), [0.5, 0, np.nan, 1 / 3], rtol=1e-6
    )
    means = RANKS.means([2])
    assert list(means) == ["recall@2", "ndcg@2", "mrr@2"]
    assert means["recall@2"] == pytest.approx((0.5 + 1 / 3) / 3)
    expected = np.nanmean(RANKS.values(NDCG(2)))
    assert means["ndcg@2"] == pytest.approx(expected)


def test_batches_of_several_widths_are_joined():
    found = padded([np.int32([[1]]), np.int32([[2, 3], [4, 5]])])
    assert found.tolist() == [[1, 0], [2, 3], [4, 5]]
    assert padded([]).shape == (0, 0)
