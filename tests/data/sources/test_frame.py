"""Tables of other libraries, in place of files."""

import dataclasses
import datetime

import ibis
import pandas as pd
import pyarrow as pa
import pytest

from tfrec.data import DataConfig, prepare
from tfrec.data.sources import frame
from tfrec.errors import InputError, InputWarning

CONFIG = DataConfig(
    dataset="csv",
    sequence_column="who",
    item_column="what",
    timestamp_column="when",
    protocol="leave_one_out",
)
_START = datetime.datetime(2024, 1, 7, 12)


@pytest.fixture
def columns():
    """Columns of a log, in an order that time changes."""
    numbers = range(60)
    return {
        "who": [f"u{n % 6}" for n in numbers],
        "note": [{"never": n} for n in numbers],
        "what": [f"i{n * n % 11}" for n in numbers],
        "when": [
            _START - datetime.timedelta(seconds=n, microseconds=n)
            for n in numbers
        ],
    }


@pytest.fixture
def config(tmp_path):
    return dataclasses.replace(CONFIG, data_dir=str(tmp_path / "out"))


def narrow(columns):
    return {name: columns[name] for name in ("who", "what", "when")}


class OnlyAStream:
    """What any library may have that speaks Arrow."""

    def __init__(self, table):
        self._table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self._table.__arrow_c_stream__(requested_schema)


def tables(columns):
    """Returns one log as each library has it."""
    arrow = pa.table(columns)
    framed = pd.DataFrame(columns, index=range(7, 67))
    return {
        "pandas": framed,
        "categories": framed.astype({"who": "category", "what": "category"}),
        "nanoseconds": framed.astype({"when": "datetime64[ns]"}),
        "arrow": arrow,
        "small batches": pa.Table.from_batches(arrow.to_batches(7)),
        "reader": arrow.to_reader(9),
        "ibis": ibis.memtable(pa.table(narrow(columns))),
        "stream": OnlyAStream(arrow),
    }


def test_every_kind_of_table_is_the_same_dataset(config, columns, tmp_path):
    # Any of them opens what the first has prepared: their content is equal.
    found = {
        name: prepare(config, table) for name, table in tables(columns).items()
    }
    assert {data.data_dir for data in found.values()} == {config.data_path}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    # And it is what a file would be.
    path = tmp_path / "log.csv"
    pd.DataFrame(narrow(columns)).to_csv(path, index=False)
    read = dataclasses.replace(
        config, raw_dir=str(path), data_dir=str(tmp_path / "read")
    )
    first = found["pandas"].manifest
    assert prepare(read).manifest.data_checksum == first.data_checksum
    assert first.counts[-1]["interactions"] == 60


def test_a_frame_of_polars_is_one_too(config, columns):
    polars = pytest.importorskip("polars")
    data = prepare(config, polars.DataFrame(columns))
    again = prepare(config, pd.DataFrame(columns))
    assert again.data_dir == data.data_dir


def test_columns_may_have_numbers_for_names(config, columns):
    numbered = pd.DataFrame(columns)[["who", "what", "when"]]
    numbered.columns = range(3)
    names = {"sequence": "0", "item": "1", "timestamp": "2"}
    names = {f"{role}_column": name for role, name in names.items()}
    data = prepare(dataclasses.replace(config, **names), numbered)
    assert data.manifest.counts[-1]["interactions"] == 60


def test_a_table_that_changed_is_prepared_beside(config, columns):
    first = prepare(config, pd.DataFrame(columns))
    columns["what"][5] = "new"
    with pytest.warns(InputWarning, match=r"table\.parquet .*Using"):
        second = prepare(config, pd.DataFrame(columns))
    assert second.data_dir != first.data_dir
    assert "new" in second.vocabulary.items
    # Without a table, what was prepared is opened.
    assert prepare(config).data_dir == first.data_dir


def test_rows_are_cut_evenly(monkeypatch):
    monkeypatch.setattr(frame, "_ROWS", 10)
    batches = pa.table({"n": range(37)}).to_batches(8)
    parts = list(frame._even(iter(batches)))
    assert [part.num_rows for part in parts] == [10, 10, 10, 7]
    assert pa.concat_tables(parts)["n"].to_pylist() == list(range(37))


def test_a_bad_row_is_named_by_its_number(config, columns):
    columns["what"][4] = None
    with pytest.raises(InputError, match=r"^the table, row 5: expected an it"):
        prepare(config, pa.table(columns))


@pytest.mark.parametrize(
    ("table", "settings", "pattern"),
    [
        ([("u", "i", 1)], {}, r"must be a DataFrame.*builtins\.list"),
        (pd.DataFrame({"u": []}), {}, "`sequence_column` must be a column of"),
        (pa.table({"u": [1]}), {}, "`sequence_column` must be a column of the"),
        (
            pd.DataFrame({"who": ["u", 3], "what": 1, "when": 1}),
            {},
            "The columns who, what, when of the table must each hold values of",
        ),
        (
            pa.table(
                {
                    name: pa.array([], "int64")
                    for name in ("who", "what", "when")
                }
            ),
            {},
            "The table has no rows",
        ),
        (None, {"raw_dir": "log.csv"}, "without `raw_dir`"),
        (None, {"dataset": "ml-1m"}, "dataset='ml-1m'"),
        (
            None,
            {"engine": "pyspark", "engine_url": "spark://host:1"},
            "on this machine",
        ),
    ],
)
def test_what_is_no_table_is_refused(
    config, columns, table, settings, pattern, tmp_path
):
    if "dataset" in settings:
        config = DataConfig(data_dir=config.data_dir, **settings)
    else:
        config = dataclasses.replace(config, **settings)
    table = pa.table(columns) if table is None else table
    with pytest.raises(InputError, match=pattern):
        prepare(config, table)
    assert list(tmp_path.iterdir()) == []
