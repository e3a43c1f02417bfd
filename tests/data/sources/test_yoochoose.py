import pytest

from tests import raw_logs
from tfrec.data import DataConfig, prepare
from tfrec.data.sources import get_source
from tfrec.data.times import DAY
from tfrec.errors import InputError

LINES = [
    "2,2014-04-07T10:51:09.277Z,214536502,0",
    "1,2014-04-07T10:54:09.868Z,214536500,S",
    "2,2014-04-07T10:51:09.276Z,214536506,0",
]


def read(engine, path, lines=None):
    if lines is not None:
        log = path / "yoochoose-clicks.dat"
        log.write_text("\n".join(lines) + "\n")
    settings = DataConfig(
        dataset="yoochoose", protocol="next_click", raw_dir=str(path)
    )
    table, day, _ = get_source("yoochoose").read(engine, settings)
    assert day == DAY
    rows = table.order_by("position").to_pyarrow().to_pylist()
    return [(r["sequence"], r["item"], r["timestamp"]) for r in rows]


def test_the_first_line_is_a_click_and_times_keep_milliseconds(
    engine, tmp_path
):
    # 2014-04-07T10:51:09 is 1396867869 seconds after 1970 began.
    expected = [
        ("2", "214536502", 1396867869_277000),
        ("1", "214536500", 1396868049_868000),
        ("2", "214536506", 1396867869_276000),
    ]
    assert read(engine, tmp_path, LINES) == expected


def test_the_file_can_be_named_itself(engine, tmp_path):
    log = tmp_path / "clicks.csv"
    log.write_text(LINES[0] + "\n")
    ((session, item, _),) = read(engine, log)
    assert (session, item) == ("2", "214536502")


@pytest.mark.parametrize(
    ("line", "pattern"),
    [
        ("3,2014-04-07T10:51:09.277Z,214536502", "4 fields.*Received 3"),
        ("3,2014-04-07 25:51,214536502,0", "a date or time, UTC"),
        ("3,2014-04-07T10:51:09.277+25:00,2145,0", "a date or time, UTC"),
        ("3,2014-04-07T10:51:09.277Z,,0", "an item id"),
        (",2014-04-07T10:51:09.277Z,214536502,0", "a sequence id"),
    ],
)
def test_a_malformed_line_is_named(engine, tmp_path, line, pattern):
    place = r"yoochoose-clicks\.dat, line 4: "
    with pytest.raises(InputError, match=place + ".*" + pattern):
        read(engine, tmp_path, [*LINES, line])


def test_a_malformed_first_line_is_named(engine, tmp_path):
    header = "session,time,item,category"
    with pytest.raises(InputError, match=r"line 1: .*UTC.*'session,time"):
        read(engine, tmp_path, [header, *LINES])


def test_a_missing_file_is_named(engine, tmp_path):
    with pytest.raises(InputError, match=r"`--raw_dir`.*yoochoose-clicks.dat"):
        read(engine, tmp_path)


def test_a_day_is_that_of_its_timestamps(engine, tmp_path):
    lines = [
        "1,2014-04-07T10:51:09.277Z,1,0",
        "1,2014-04-08T10:51:09.277Z,1,0",
    ]
    (_, _, first), (_, _, second) = read(engine, tmp_path, lines)
    assert second - first == DAY


def test_the_raw_clicks_of_yoochoose_are_prepared(tmp_path):
    settings = raw_logs.write_yoochoose(tmp_path / "raw")
    data = prepare(DataConfig(data_dir=str(tmp_path / "out"), **settings))
    assert [tuple(step.values()) for step in data.manifest.counts] == [
        ("raw log", 413, 105, 12),
        ("sequences with >= 2", 412, 104, 12),
        ("items with >= 5", 409, 104, 11),
        ("sequences with >= 2", 406, 101, 11),
        ("items with >= 5", 406, 101, 11),
        ("sequences with >= 2", 406, 101, 11),
        ("train: ends before the last day", 388, 97, 10),
        ("test: ends in the last day", 18, 4, 11),
        ("test: items of the training", 13, 4, 10),
        ("test: sequences with >= 2", 12, 3, 10),
        # Half of 291 clicks that can be predicted, in whole sessions.
        ("train: newest 0.5", 192, 48, 10),
        ("train and test", 204, 51, 10),
    ]
    splits = data.manifest.splits
    assert [splits[name]["records"] for name in splits] == [44, 4, 3]
    assert [data.examples(name) for name in splits] == [132, 12, 9]
    data.verify()
