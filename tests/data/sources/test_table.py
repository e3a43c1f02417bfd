import datetime
import gzip
import math
import warnings

import pyarrow as pa
import pyarrow.parquet
import pytest

from tfrec.data.config import DataConfig
from tfrec.data.duckdb_engine import DuckDBEngine
from tfrec.data.sources import get_source
from tfrec.errors import InputError, InputWarning


def read(engine, path, **settings):
    config = DataConfig(dataset="csv", raw_dir=str(path), **settings)
    table = get_source("csv").read(engine, config).table
    found = table.order_by("position").to_pyarrow().to_pylist()
    return [
        tuple(row[name] for name in row if name != "position") for row in found
    ]


def test_columns_are_found_by_name_in_any_order(engine, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("when,x,what,who,stars\n7,,i,u,4.5\n3,,j,u,2\n")
    names = {
        "sequence_column": "who",
        "item_column": "what",
        "timestamp_column": "when",
    }
    assert read(engine, path, **names) == [("u", "i", 7), ("u", "j", 3)]


def test_ratings_are_read_where_there_are_any(engine, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("sequence,item,timestamp,stars\nu,i,7,4.5\n")
    assert read(engine, path, rating_column="stars") == [("u", "i", 7, 4.5)]


def test_a_missing_column_gives_the_flag_and_near_names(engine, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("userId,item,timestamp\nu,i,7\n")
    with pytest.raises(InputError) as error:
        read(engine, path, sequence_column="userid")
    assert "`--sequence_column`" in str(error.value)
    assert "Did you mean 'userId'?" in str(error.value)


def test_a_wrong_separator_is_suspected(engine, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("sequence;item;timestamp\nu;i;7\n")
    with pytest.raises(InputError, match="Is `--separator` right"):
        read(engine, path)
    assert read(engine, path, separator=";") == [("u", "i", 7)]


@pytest.mark.parametrize("separator", ["\t", "\\t", "::", "|"])
def test_separators(engine, tmp_path, separator):
    path = tmp_path / "log.csv"
    lines = ["sequence,item,timestamp", "u,i,7"]
    sign = separator.replace("\\t", "\t")
    path.write_text("\n".join(line.replace(",", sign) for line in lines))
    assert read(engine, path, separator=separator) == [("u", "i", 7)]


def test_quoted_fields_keep_separators_and_quotes(engine, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text('sequence,item,timestamp\n"u, v","a ""b""",7\n')
    assert read(engine, path) == [("u, v", 'a "b"', 7)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("u,i", "expected 4 fields separated by ','. Received 2"),
        ("u,i,7,,8", "expected 4 fields separated by ','. Received 5"),
        ('u,"i,7,', "unexpected end of data"),
        (",i,7,", "expected a sequence id"),
        ("u,,7,", "expected an item id"),
        ("u,   ,7,", "expected an item id"),
        (" ,i,7,", "expected a sequence id"),
        ("u,i,,", "expected a timestamp"),
        ("u,i,7.5.1,", "expected a timestamp, a number"),
        (
            'u,i,"7,5",',
            "expected a timestamp with a decimal point, not a comma",
        ),
        ("u,i,2018-01-31,", "expected a timestamp"),
        ("u,i,-7,", "expected a timestamp of at least 0"),
        ('"u\nv",i,7,', "expected a sequence id without tabs and line ends"),
        ('u,"i\tj",7,', "expected an item id without tabs"),
    ],
)
def test_a_malformed_line_is_named(engine, tmp_path, line, expected):
    path = tmp_path / "log.csv"
    # The field over two lines shifts records against lines.
    path.write_text(
        f'sequence,item,timestamp,note\nw,i,1,"two\nlines"\n\n{line}\nu,i,9,\n'
    )
    with pytest.raises(InputError) as error:
        read(engine, path)
    assert f"log.csv, line 5: {expected}" in str(error.value)


def test_text_that_is_not_utf8_is_named(engine, tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(b"sequence,item,timestamp\nu,i,1\nu,\xe9,2\n")
    with pytest.raises(InputError, match=r"log\.csv, line 3.*utf-8"):
        read(engine, path)


def test_an_empty_file_is_named(engine, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("")
    with pytest.raises(InputError, match=r"log\.csv is empty"):
        read(engine, path)


def test_iso_times_become_microseconds(engine, tmp_path):
    path = tmp_path / "log.csv"
    times = {
        "2018-01-31": 1517356800_000000,
        "2018-01-31 12:00:00": 1517400000_000000,
        "2018-01-31T12:00:00.25": 1517400000_250000,
        "2018-01-31T12:00:00.000001Z": 1517400000_000001,
        "2018-01-31 12:00:00+00:00": 1517400000_000000,
        "2018-01-31T12:00:00+02:00": 1517392800_000000,
        "2018-01-31 12:00:00.123456789 -0530": 1517419800_123456,
        "2018-01-31T12:00-00:30": 1517401800_000000,
        "2018-01-31 12:00:00 UTC": 1517400000_000000,
        "2018-01-31T12:00+02": 1517392800_000000,
    }
    lines = ["sequence,item,timestamp", *(f"u,i,{time}" for time in times)]
    path.write_text("\n".join(lines))
    assert [row[2] for row in read(engine, path)] == list(times.values())


@pytest.mark.parametrize(
    "time",
    [
        "2018-02-30",
        "7",
        "2018-01-31 12:00:00+25:00",
        "2018-01-31+02:00",
        "2018-01-31 12:00.5",
        '"2018-01-31 12:00:00,5"',
        "1969-12-31",
    ],
)
def test_a_bad_iso_time_is_named(engine, tmp_path, time):
    path = tmp_path / "log.csv"
    path.write_text(f"sequence,item,timestamp\nu,i,2018-01-31\nu,i,{time}\n")
    with pytest.raises(InputError, match=r"line 3: expected a timestamp"):
        read(engine, path)


def test_the_files_of_a_folder_are_one_log(engine, tmp_path):
    header = "sequence,item,timestamp\n"
    (tmp_path / "b.csv").write_text(header + "u,j,2\n")
    (tmp_path / "a.csv").write_text(header + "u,i,9\nv,i,3\n")
    (tmp_path / "notes.txt").write_text("not a log")
    assert read(engine, tmp_path) == [
        ("u", "i", 9),
        ("v", "i", 3),
        ("u", "j", 2),
    ]


def test_a_bad_line_in_a_folder_names_its_file(engine, tmp_path):
    header = "sequence,item,timestamp\n"
    (tmp_path / "a.csv").write_text(header + "u,i,9\nv,i,3\n")
    (tmp_path / "b.csv").write_text(header + "u,j,2\nu,j,x\n")
    with pytest.raises(InputError, match=r"b\.csv, line 3: .*'u,j,x'"):
        read(engine, tmp_path)


def test_files_of_different_headers_are_refused(engine, tmp_path):
    (tmp_path / "a.csv").write_text("sequence,item,timestamp\nu,i,9\n")
    (tmp_path / "b.csv").write_text("item,sequence,timestamp\ni,u,9\n")
    with pytest.raises(InputError, match=r"b\.csv, line 1.*one header"):
        read(engine, tmp_path)


def test_a_huge_header_is_told_in_a_message_of_some_size(engine, tmp_path):
    (tmp_path / "a.csv").write_text("sequence,item,timestamp\nu,i,9\n")
    (tmp_path / "b.csv").write_text(f"sequence,{'item' * 9999},t\nu,i,9\n")
    with pytest.raises(InputError, match=r"b\.csv, line 1.*itemitem") as said:
        read(engine, tmp_path)
    assert len(str(said.value)) < 2100


def test_a_pattern_chooses_files_of_any_depth(engine, tmp_path):
    header = "sequence,item,timestamp\n"
    for day in (1, 2, 3):
        folder = tmp_path / f"day={day}"
        folder.mkdir()
        text = (header + f"u,i,{day}\n").encode()
        (folder / "part.csv.gz").write_bytes(gzip.compress(text))
        (folder / "_part.csv.gz").write_bytes(b"half written")
        (folder / "notes.txt").write_text("not a log")
    chosen = {"raw_files": "day=[13]/*.csv.gz"}
    assert [row[2] for row in read(engine, tmp_path, **chosen)] == [1, 3]
    assert len(read(engine, tmp_path, raw_files="**/*.csv.gz")) == 3
    with pytest.raises(InputError, match=r"`--raw_files` .*with no file"):
        read(engine, tmp_path, raw_files="*.csv")
    with pytest.raises(InputError, match=r"`--raw_files` .*below `--raw_dir`"):
        read(engine, tmp_path, raw_files="/tmp/*.csv")
    (tmp_path / "day=1" / "x.parquet").write_bytes(b"")
    with pytest.raises(InputError, match="Parquet and other files"):
        read(engine, tmp_path, raw_files="**/*")


def test_a_folder_of_parquet_is_one_log(engine, tmp_path):
    folder = tmp_path / "log.parquet"
    folder.mkdir()
    (folder / "_SUCCESS").write_text("")
    (folder / "more.parquet").mkdir()
    for name, time in (("part-1", 7), ("part-0", 8)):
        columns = {"sequence": ["u"], "item": ["i"], "timestamp": [time]}
        parquet(folder / f"{name}.snappy.parquet", **columns)
    assert [row[2] for row in read(engine, folder)] == [8, 7]


def test_zstd_files_are_read_and_their_bad_lines_named(engine, tmp_path):
    path = tmp_path / "log.csv.zst"
    text = b"sequence,item,timestamp\nu,i,9\nu,j,x\n"
    path.write_bytes(pa.compress(text, "zstd", asbytes=True))
    with pytest.raises(InputError, match=r"log\.csv\.zst, line 3"):
        read(engine, path)
    path.write_bytes(pa.compress(text[:-6], "zstd", asbytes=True))
    assert read(engine, path) == [("u", "i", 9)]
    assert read(engine, tmp_path) == [("u", "i", 9)]


def test_a_folder_of_several_kinds_is_refused(engine, tmp_path):
    (tmp_path / "a.csv").write_text("sequence,item,timestamp\nu,i,9\n")
    (tmp_path / "b.parquet").write_bytes(b"")
    with pytest.raises(InputError, match="several kinds"):
        read(engine, tmp_path)


def test_a_missing_log_is_named(engine, tmp_path):
    with pytest.raises(InputError, match=r"`--raw_dir`.*nothing"):
        read(engine, tmp_path / "nothing")


def test_gzipped_files_are_read_and_their_bad_lines_named(engine, tmp_path):
    path = tmp_path / "log.csv.gz"
    path.write_bytes(gzip.compress(b"sequence,item,timestamp\nu,i,9\n"))
    assert read(engine, path) == [("u", "i", 9)]
    path.write_bytes(gzip.compress(b"sequence,item,timestamp\nu,i,9\nu,i\n"))
    with pytest.raises(InputError, match=r"log\.csv\.gz, line 3"):
        read(engine, path)


def parquet(path, **columns):
    pa.parquet.write_table(pa.table(columns), path)
    return path


def test_parquet_of_any_type_is_read(engine, tmp_path):
    moment = datetime.datetime(2018, 1, 31, 12)
    path = parquet(
        tmp_path / "log.parquet",
        sequence=[1, 1],
        item=["i", "j"],
        timestamp=[moment, moment],
        position=["a column", "of the log"],
    )
    time = 1517400000_000000
    assert read(engine, path) == [("1", "i", time), ("1", "j", time)]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_a_time_is_cut_after_microseconds_and_never_rounded(
    engine, tmp_path, unit
):
    # The last that there is of the unit before a second, and the second.
    last = {"ms": 999, "us": 999_999, "ns": 999_999_999}[unit]
    units = {"ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    values = [1517400000 * units + last, 1517400001 * units]
    path = parquet(
        tmp_path / "log.parquet",
        sequence=[1, 1],
        item=["i", "j"],
        timestamp=pa.array(values, pa.timestamp(unit)),
    )
    fraction = {"ms": 999_000}.get(unit, 999_999)
    assert [time for _, _, time in read(engine, path)] == [
        1517400000_000000 + fraction,
        1517400001_000000,
    ]


def test_a_fraction_makes_all_times_microseconds(engine, tmp_path):
    path = tmp_path / "log.csv"
    lines = ["sequence,item,timestamp", "u,i,1704597106", "u,i,1704597106.0"]
    path.write_text("\n".join(lines))
    assert {row[2] for row in read(engine, path)} == {1704597106}
    lines += ["u,i,1704597106.351", "u,i,1704597107.0000019"]
    path.write_text("\n".join(lines))
    second = 1_000_000
    assert [row[2] for row in read(engine, path)] == [
        1704597106 * second,
        1704597106 * second,
        1704597106 * second + 351_000,
        1704597107 * second + 1,
    ]
    # Milliseconds may have one, and what is smaller need not.
    path.write_text("\n".join([*lines, "u,i,9999999999999"]))
    with pytest.raises(InputError, match=r"line 6: .*a smaller timestamp"):
        read(engine, path)


def test_a_day_has_as_many_units_as_were_read(engine, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("sequence,item,timestamp\nu,i,1704597106.5\n")
    config = DataConfig(
        dataset="csv",
        raw_dir=path,
        protocol="next_click",
        timestamps_per_second=1,
    )
    assert get_source("csv").read(engine, config).day == 86_400_000_000


@pytest.mark.parametrize(
    ("time", "per_second", "said"),
    [
        (1704597106, 1000, "ends at 1970-01-20 17:29:57.106000. Is `--tim"),
        (4200000000, 1, "ends at 2103-"),
        (1704597106, 1, ""),
        (1704597106351, 1000, ""),
        (1704597106351, 1, "ends after the year 9999. Is `--timestamps_per_"),
    ],
)
def test_a_log_that_ends_long_ago_or_to_come_is_told(
    engine, tmp_path, time, per_second, said
):
    path = tmp_path / "log.csv"
    path.write_text(f"sequence,item,timestamp\nu,i,7\nu,j,{time}\n")
    config = DataConfig(
        dataset="csv", raw_dir=path, timestamps_per_second=per_second
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InputWarning)
        get_source("csv").read(engine, config)
    told = [str(w.message) for w in caught if w.category is InputWarning]
    assert len(told) == bool(said)
    assert all(said in text for text in told)


def test_floats_are_times_and_other_numbers_are_not(engine, tmp_path):
    columns = {"sequence": ["u"] * 2, "item": ["i"] * 2}
    path = parquet(tmp_path / "a.parquet", **columns, timestamp=[7.0, 8.0])
    assert read(engine, path) == [("u", "i", 7), ("u", "i", 8)]
    time = [1704597106.351, 1704597106.999999]
    path = parquet(tmp_path / "b.parquet", **columns, timestamp=time)
    expected = [1704597106_351000, 1704597106_999999]
    assert [row[2] for row in read(engine, path)] == expected
    time = [7.0, float("nan")]
    path = parquet(tmp_path / "c.parquet", **columns, timestamp=time)
    with pytest.raises(InputError, match=r"c\.parquet, row 2: .*nan"):
        read(engine, path)


def test_a_time_with_a_zone_is_the_moment_it_means(engine, tmp_path):
    # As on a machine that is there.
    engine.connection.raw_sql("SET TimeZone = 'America/New_York'")
    engine = DuckDBEngine(engine.connection)
    moment = datetime.datetime(2018, 1, 31, 12, 0, 0, 250_000)
    kinds = {"aware": pa.timestamp("ms", "Europe/Berlin"), "naive": None}
    for name, kind in kinds.items():
        path = parquet(
            tmp_path / f"{name}.parquet",
            sequence=["u"],
            item=["i"],
            timestamp=pa.array([moment], kind),
        )
        assert read(engine, path) == [("u", "i", 1517400000_250000)]


def test_a_bad_parquet_row_names_its_file(engine, tmp_path):
    parquet(tmp_path / "a.parquet", sequence=["u"], item=["i"], timestamp=[7])
    parquet(
        tmp_path / "b.parquet",
        sequence=["u", None],
        item=["i", "j"],
        timestamp=[7, 8],
    )
    with pytest.raises(InputError, match=r"b\.parquet, row 2: expected a seq"):
        read(engine, tmp_path)


def test_a_file_that_is_not_parquet_is_named(engine, tmp_path):
    (tmp_path / "log.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(InputError, match=r"log\.parquet cannot be read"):
        read(engine, tmp_path)


def test_lines_that_end_in_two_ways_are_named(engine, tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(b"sequence,item,timestamp\nu,i,1\r\nu,i,2\nu,i,3\r\n")
    with pytest.raises(InputError, match=r"log\.csv, line 2: it ends otherw"):
        read(engine, path)


@pytest.mark.parametrize(
    ("time", "per_second", "expected"),
    [
        ("1396867869", 0, "the number that times count in a second"),
        ("2014-04-07 10:51:09", 1, "0 where times are ISO"),
    ],
)
def test_the_unit_of_times_is_asked_for_where_days_are_counted(
    engine, tmp_path, time, per_second, expected
):
    path = tmp_path / "log.csv"
    path.write_text(f"sequence,item,timestamp\nu,i,{time}\n")
    options = {"protocol": "next_click", "timestamps_per_second": per_second}
    pattern = f"`--timestamps_per_second` must be {expected}.*: {per_second}"
    with pytest.raises(InputError, match=pattern):
        read(engine, path, **options)


@pytest.mark.parametrize(
    ("time", "per_second", "day"),
    [
        ("1396867869", 1000, 86_400_000),
        ("1396867869", 0, None),
        ("2014-04-07 10:51:09", 0, 86_400_000_000),
    ],
)
def test_a_day_is_known_if_the_unit_of_times_is(
    engine, tmp_path, time, per_second, day
):
    path = tmp_path / "log.csv"
    path.write_text(f"sequence,item,timestamp\nu,i,{time}\n")
    config = DataConfig(
        dataset="csv", raw_dir=str(path), timestamps_per_second=per_second
    )
    assert get_source("csv").read(engine, config).day == day


@pytest.mark.parametrize("time", ["-0.5", "-1", "-3.25", " -00.000001"])
def test_times_before_1970_are_refused_with_any_fraction(
    engine, tmp_path, time
):
    path = tmp_path / "log.csv"
    path.write_text(f"sequence,item,timestamp\nu,a,7\nu,b,{time}\n")
    with pytest.raises(InputError, match=r"line 3: expected a timestamp of at"):
        read(engine, path)


@pytest.mark.parametrize(
    "wrong", [float("nan"), 1.5, 2.0**53, -(2.0**63), -math.inf]
)
def test_ids_that_are_numbers_are_whole(engine, tmp_path, wrong):
    path = tmp_path / "log.parquet"
    columns = {"sequence": ["u", "v"], "timestamp": [1, 2]}
    parquet(path, **columns, item=[1.0, wrong])
    with pytest.raises(InputError, match="row 2: expected an item id, a whole"):
        read(engine, path)
    # The same ids as those of a day on which none was missing.
    parquet(path, **columns, item=[1.0, -(2.0**53) + 1])
    found = [item for _, item, _ in read(engine, path)]
    assert found == ["1", "-9007199254740991"]
    for number, item in ((2**24 - 1, "16777215"), (2**24, None)):
        parquet(path, **columns, item=pa.array([1.0, number], pa.float32()))
        if item:
            assert [item for _, item, _ in read(engine, path)] == ["1", item]
            continue
        with pytest.raises(InputError, match="expected an item id, a whole"):
            read(engine, path)
