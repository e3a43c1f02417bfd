import ibis
import pyarrow as pa
import pytest

from tfrec.data.config import DataConfig
from tfrec.data.protocols import get_protocol


def expected_holdout(n, test_fraction, validation_fraction):
    test = int(test_fraction * n)
    m = n - test
    validation = max(0, min(int(validation_fraction * m), m - 2))
    return m - validation, validation, test


def expected_leave_one_out(n):
    test = 1 if n >= 3 else 0
    m = n - test
    validation = max(0, min(1, m - 2))
    return m - validation, validation, test


def sizes(config, longest):
    """Returns (training, validation, test) items for lengths 1..longest."""
    lengths = [n for n in range(1, longest + 1) for _ in range(n)]
    ranks = [rank for n in range(1, longest + 1) for rank in range(n)]
    rows = ibis.memtable(pa.table({"length": lengths, "rank": ranks}))
    parts = rows.mutate(part=get_protocol(config).parts(rows)).to_pyarrow()
    found = {n: [] for n in range(1, longest + 1)}
    rows = sorted(parts.to_pylist(), key=lambda row: row["rank"])
    for row in rows:
        found[row["length"]].append(row["part"])
    for parts in found.values():
        assert parts == sorted(parts), "training comes before what is held out"
    return {
        n: tuple(parts.count(part) for part in range(3))
        for n, parts in found.items()
    }


@pytest.mark.parametrize(
    ("test", "validation"), [(0.2, 0.1), (0.5, 0.5), (0.29, 0.0), (0.9, 0.9)]
)
def test_holdout_cuts_the_last_int_of_the_fraction(test, validation):
    config = DataConfig(test_fraction=test, validation_fraction=validation)
    for n, found in sizes(config, 120).items():
        assert found == expected_holdout(n, test, validation), n


def test_leave_one_out_holds_out_the_last_of_three_or_more():
    found = sizes(DataConfig(protocol="leave_one_out"), 6)
    assert found == {n: expected_leave_one_out(n) for n in range(1, 7)}
    assert found[2] == (2, 0, 0)
    assert found[3] == (2, 0, 1)
    assert found[4] == (2, 1, 1)


def test_no_validation_leaves_fewer_than_two_training_items():
    config = DataConfig(test_fraction=0.01, validation_fraction=0.99)
    for n, (training, validation, _) in sizes(config, 60).items():
        assert training >= 2 or validation == 0, n
