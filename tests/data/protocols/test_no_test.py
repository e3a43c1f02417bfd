"""Preparations that hold nothing out for a test."""

import pytest

from tests.data.test_preparation import make_config, read_records
from tfrec.data import DataConfig, card, prepare
from tfrec.errors import InputError

# Each protocol's way of saying it.
FLAGS = {
    "holdout": {"test_fraction": 0.0},
    "temporal": {"test_quantile": 1.0, "timestamps_per_second": 1},
    "next_click": {"test_days": 0, "timestamps_per_second": 1},
}
LINES = [
    f"u{user},i{(user + step) % 7},{20 * step + user}"
    for step in range(6)
    for user in range(3)
]


@pytest.mark.parametrize("protocol", FLAGS)
def test_everything_is_trained_on(tmp_path, protocol):
    config = make_config(
        tmp_path,
        LINES,
        protocol=protocol,
        validation_fraction=0.0,
        **FLAGS[protocol],
    )
    data = prepare(config)
    found = read_records(data, "train")
    assert found == {
        f"u{u}": (tuple(f"i{(u + n) % 7}" for n in range(6)), ())
        for u in range(3)
    }
    for split in ("validation", "test"):
        assert data.manifest.splits[split]["records"] == 0
    (name, value), *_ = FLAGS[protocol].items()
    flag = f"--{name}={value:g}"
    assert data.protocol.no_test == flag
    assert f"protocol: no test ({flag})" in card(data)
    with pytest.raises(InputError, match=f"it was prepared with {flag}"):
        data.evaluation("test")


def test_a_validation_may_stay(tmp_path):
    config = make_config(
        tmp_path, LINES, test_fraction=0.0, validation_fraction=0.2
    )
    validation = read_records(prepare(config), "validation")
    assert {len(targets) for _, targets in validation.values()} == {1}


def test_a_cut_of_the_test_means_nothing_without_one():
    with pytest.raises(InputError, match="`--unseen_items` means nothing"):
        DataConfig(
            dataset="csv",
            protocol="next_click",
            timestamps_per_second=1,
            test_days=0,
            unseen_items="keep",
        )
