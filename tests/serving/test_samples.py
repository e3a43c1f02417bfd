import numpy as np
import pytest

from tests.prepared import prepare_sequences
from tests.toy import toy_data
from tfrec.serving.samples import held_out_histories, histories_of_test


def test_short_and_long_histories_are_asked(tmp_path):
    data = toy_data(tmp_path / "data", users=60)
    every = [len(each.items) for each in histories_of_test(data, 1000)]
    some = [len(each.items) for each in held_out_histories(data, 7)]
    assert (len(every), len(some)) == (60, 7)
    assert (min(some), max(some)) == (min(every), max(every))
    assert np.median(some) == pytest.approx(np.median(every), abs=1)


def test_without_a_test_whole_sequences_are_asked(tmp_path):
    data = prepare_sequences(
        tmp_path / "data",
        [[1, 2, n] for n in range(3, 203)],
        test_fraction=0.0,
    )
    asked = held_out_histories(data, 100)
    assert len({tuple(each.items) for each in asked}) == 100
    # Also of the end.
    assert max(each.items[2] for each in asked) > 150
    assert all(each.items[:2].tolist() == [1, 2] for each in asked)
    assert len(held_out_histories(data, 1000)) == 200
