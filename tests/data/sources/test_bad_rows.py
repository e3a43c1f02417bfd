"""Rows that cannot be read, skipped and counted."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfrec.data.config import DataConfig
from tfrec.data.sources import get_source
from tfrec.data.sources.bad_rows import BadRows, describe
from tfrec.errors import InputError

HEADER = "sequence,item,timestamp,stars\n"
GOOD = "".join(f"u{n % 3},i{n},{n},4\n" for n in range(90))


def read(engine, path, dataset="csv", share=0.5, **settings):
    """Returns the interactions, skipping rows, and what was skipped."""
    config = DataConfig(
        dataset=dataset,
        raw_dir=str(path),
        bad_rows="skip",
        bad_rows_share=share,
        **settings,
    )
    source = get_source(dataset)
    table = source.read(engine, config).table.order_by("position")
    rows = table.to_pyarrow().to_pylist()
    return [row["item"] for row in rows], source.bad_rows.summary()


def test_nothing_is_said_where_nothing_is_wrong(engine, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(HEADER + GOOD)
    items, summary = read(engine, path, rating_column="stars", share=0)
    assert items == [f"i{n}" for n in range(90)]
    assert summary == {}


def test_rows_are_counted_by_what_they_lack(engine, tmp_path):
    path = tmp_path / "log.csv"
    bad = ["u,,1,4", ",i,1,4", "u,i,x,4", 'u,i,1,"4,5"', *["u,,2,4"] * 4]
    path.write_text(HEADER + "\n".join(bad) + "\n\n" + GOOD)
    items, summary = read(engine, path, rating_column="stars")
    assert items == [f"i{n}" for n in range(90)]
    assert (summary["rows"], summary["skipped"]) == (98, 8)
    reasons = summary["expected"]
    assert {name: reason["rows"] for name, reason in reasons.items()} == {
        "an item id": 5,
        "a sequence id": 1,
        "a timestamp, a number": 1,
        "a rating with a decimal point, not a comma": 1,
    }
    assert reasons["an item id"]["examples"] == [
        {"place": f"{path}, line {line}", "text": text}
        for line, text in ((2, "u,,1,4"), (6, "u,,2,4"), (7, "u,,2,4"))
    ]
    said = describe(json.loads(json.dumps(summary)))
    assert said.startswith(
        "Skipped 8 of 98 rows (8.16%) that cannot be read: 5"
    )
    assert f"1 without a sequence id ({path}, line 3: ',i,1,4')" in said


def test_lines_that_no_engine_reads_are_left_out(engine, tmp_path):
    path = tmp_path / "log.csv"
    start = [
        b"u,i",
        b"u,two,1,4,5",
        b"u,\xff,1,4",
        b'u,"open,1,4',
        b'u,"a\nb",1,4',
        b'u,"fine, too",1,4',
        b'u,"x"y,1,4',
        b"   ",
        b"u,,1,4",
    ]
    text = b"\n".join([b"", HEADER.encode().strip(), *start, GOOD.encode()])
    path.write_bytes(text + b'u,"never closed,1,4')
    items, summary = read(engine, path, rating_column="stars")
    assert items == ["fine, too", *(f"i{n}" for n in range(90))]
    reasons = {n: r["rows"] for n, r in summary["expected"].items()}
    assert reasons == {
        "4 fields separated by ','": 6,
        "text in utf-8": 1,
        "an item id": 1,
        "an item id without tabs and line ends": 1,
    }
    assert (summary["rows"], summary["skipped"]) == (100, 9)
    examples = summary["expected"]["text in utf-8"]["examples"]
    assert examples == [{"place": f"{path}, line 5", "text": r"u,\xff,1,4"}]
    (example,) = summary["expected"]["an item id"]["examples"]
    assert example["place"] == f"{path}, line 12"


def test_more_than_a_share_stops_with_all_reasons(engine, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(HEADER + GOOD + "u,,1,4\nu,i\n")
    pattern = (
        r"Skipped 2 of 92 rows \(2\.17%\).*4 fields.*line 93.*an item id.*"
        r"line 92.* `--bad_rows_share`=0\.02"
    )
    with pytest.raises(InputError, match=pattern):
        read(engine, path, share=0.02)
    assert read(engine, path, share=0.03)[1]["skipped"] == 2


def test_parquet_rows_are_skipped_too(engine, tmp_path):
    path = tmp_path / "log.parquet"
    columns = {
        "sequence": ["u"] * 4,
        "item": ["i", None, "j", None],
        "timestamp": [1, 2, 3, 4],
    }
    pq.write_table(pa.table(columns), path)
    items, summary = read(engine, path)
    assert items == ["i", "j"]
    examples = summary["expected"]["an item id"]["examples"]
    assert [e["place"] for e in examples] == [
        f"{path}, row 2",
        f"{path}, row 4",
    ]


def test_a_damaged_parquet_file_stops(engine, tmp_path):
    path = tmp_path / "log.parquet"
    columns = {n: ["a"] * 999 for n in ("sequence", "item")}
    pq.write_table(pa.table({**columns, "timestamp": range(999)}), path)
    content = bytearray(path.read_bytes())
    content[4:40] = bytes(36)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"log\.parquet is damaged"):
        read(engine, path)


@pytest.mark.parametrize(
    ("dataset", "name", "good", "bad"),
    [
        (
            "yelp",
            "yelp_academic_dataset_review.json",
            b'{"user_id": "u", "business_id": "%d", "stars": 4, '
            b'"date": "2018-07-07 22:09:11"}',
            [b"{", b"\xff"],
        ),
        (
            "yoochoose",
            "yoochoose-clicks.dat",
            b"1,2014-04-07T10:51:09.277Z,%d,0",
            [b"1,2", b"1,yesterday,3,0"],
        ),
        ("ml-1m", "ratings.dat", b"1::%d::4::978300760", [b"1::2", b"\xff"]),
        ("ml-1m", "ratings.dat", b"1::%d::4::978300760", [b"1\r::2", b"1\r2"]),
        (
            "ml-latest-small",
            "ratings.csv",
            b"1,%d,4.0,978300760",
            [b"1,2,3", b"1,2,x,978300760"],
        ),
    ],
)
def test_every_log_can_be_read_without_its_bad_rows(
    engine, tmp_path, dataset, name, good, bad
):
    lines = [*bad, *(good % n for n in range(9)), b""]
    if name.endswith(".csv"):
        lines.insert(0, b"userId,movieId,rating,timestamp")
    (tmp_path / name).write_bytes(b"\n".join(lines))
    items, summary = read(engine, tmp_path, dataset)
    assert items == [str(n) for n in range(9)]
    assert (summary["rows"], summary["skipped"]) == (11, 2)


def test_no_share_of_nothing_is_too_much():
    BadRows(DataConfig(bad_rows="skip")).check()
    with pytest.raises(InputError, match="means nothing with --bad_rows=stop"):
        DataConfig(bad_rows_share=0.5)
    with pytest.raises(InputError, match="means nothing with --dataset=seq"):
        DataConfig(dataset="sequences", bad_rows="skip")


def test_a_field_may_be_as_long_as_a_line(engine, tmp_path):
    """The csv module of Python takes 131,072 characters by default."""
    path = tmp_path / "log.csv"
    long = f"u,i,5,{'4' * 140_000}\n"
    path.write_text(HEADER + long + GOOD + "u,i,x,4\n")
    items, summary = read(engine, path)
    assert items == ["i", *(f"i{n}" for n in range(90))]
    assert list(summary["expected"]) == ["a timestamp, a number"]
    path.write_text(HEADER + long + GOOD + "only,two\n")
    items, summary = read(engine, path)
    assert items == ["i", *(f"i{n}" for n in range(90))]
    assert summary["skipped"] == 1


@pytest.mark.parametrize("time", ["2018-01-31T12:00", "7"])
def test_the_first_time_may_come_late(engine, tmp_path, time):
    path = tmp_path / "log.csv"
    text = HEADER + "u,i,,4\n" * 1100 + f"u,j,{time},4\n" * 2000
    path.write_text(text)
    items, summary = read(engine, path)
    assert items == ["j"] * 2000
    assert summary["skipped"] == 1100


def test_a_unit_is_asked_for_however_late_the_first_number_is(engine, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(HEADER + "u,i,n/a,4\n" * 1100 + "u,j,7,4\n" * 2000)
    assert read(engine, path)[0] == ["j"] * 2000
    with pytest.raises(InputError, match="`--timestamps_per_second` must be"):
        read(engine, path, protocol="next_click")
