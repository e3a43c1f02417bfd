"""Both engines prepare the same dataset; what Spark cannot is refused."""

import dataclasses
import gzip
import os
import shutil
import tempfile
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests import commands, raw_logs
from tfrec.data import DataConfig, preparation, prepare
from tfrec.data.kept_log import read_log, write_log
from tfrec.data.sources import get_source
from tfrec.data.sources.appended import AppendedSource
from tfrec.data.sources.delimited import Delimited
from tfrec.data.sources.fields import store
from tfrec.data.sources.lines import Lines
from tfrec.errors import InputError

pytest.importorskip("pyspark", reason="tfrec[spark] is not installed")
if not (shutil.which("java") or os.environ.get("JAVA_HOME")):
    pytest.skip("Spark needs Java", allow_module_level=True)

from pyspark.sql import SparkSession

from tfrec.data import duckdb_engine, spark_engine
from tfrec.data.spark_engine import SparkEngine

# So few that most files are read by several tasks.
_BLOCK_BYTES = 1500
# To compile and to adapt takes longer than such small queries.
_QUICK = {
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
}


def test_what_pyspark_leaves_if_killed_lies_where_spark_works(
    tmp_path, monkeypatch
):
    left, before = [], tempfile.gettempdir()

    def launch(conf, streams):
        # As PySpark's own, which deletes it once Java has answered.
        left.append(tempfile.mkdtemp())
        raise OSError("no Java")

    monkeypatch.setattr(spark_engine, "launch_gateway", launch)
    with pytest.raises(OSError, match="no Java"):
        spark_engine._launched(None, {}, tmp_path)
    assert os.path.dirname(left[0]) == str(tmp_path)
    assert tempfile.gettempdir() == before


@pytest.fixture(scope="module")
def session():
    """A small Spark that all tests share."""
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.files.maxPartitionBytes", str(_BLOCK_BYTES))
        .config("spark.sql.files.openCostInBytes", "0")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.ui.showConsoleProgress", "false")
        .config(map=_QUICK)
        .config("spark.driver.memory", "600m")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


@pytest.fixture
def engine(session):
    return SparkEngine(session.newSession())


def make_config(folder, engine="pyspark", **settings):
    data_dir = str(folder / f"by-{engine}")
    return DataConfig(engine=engine, data_dir=data_dir, **settings)


@pytest.mark.parametrize(
    "write",
    [
        raw_logs.write_messy,
        raw_logs.write_parquet,
        raw_logs.write_yoochoose,
        *(
            pytest.param(write, marks=pytest.mark.long)
            for write in (
                raw_logs.write_clicks,
                raw_logs.write_future,
                raw_logs.write_movielens,
                raw_logs.write_yelp,
                raw_logs.write_sessions,
            )
        ),
    ],
)
def test_both_engines_prepare_the_same_bytes(session, tmp_path, write):
    settings = write(tmp_path / "raw")
    expected, found = (
        prepare(make_config(tmp_path, engine, **settings))
        for engine in ("duckdb", "pyspark")
    )
    for name in (
        "data_checksum",
        "counts",
        "splits",
        "duplicates",
        "short_sequences",
        "bad_rows",
        "mean_length",
        "density",
    ):
        assert getattr(found.manifest, name) == getattr(expected.manifest, name)
    assert found.titles == expected.titles
    assert expected.manifest.counts[-1]["interactions"] > 40
    assert "pyspark" in found.manifest.created_with
    assert "duckdb" not in found.manifest.created_with


LINES = ["sequence,item,timestamp", *(f"u{n % 3},i{n},{n}" for n in range(90))]


def test_a_kept_log_is_the_same_for_both_engines(session, tmp_path):
    first, second = tmp_path / "1.csv", tmp_path / "2.csv"
    first.write_text("\n".join(LINES[:60]))
    # Here times have fractions.
    later = [LINES[0], *(f"{line}.5" for line in LINES[60:])]
    second.write_text("\n".join(later))
    config = make_config(tmp_path, dataset="csv", raw_dir=str(first))
    source = get_source("csv")
    with duckdb_engine.connect(config, tmp_path) as duck:
        held = write_log(duck, source.read(duck, config), None, tmp_path)
    config = dataclasses.replace(config, raw_dir=str(second))
    appended = AppendedSource(source, tmp_path, SimpleNamespace(log=held))
    spark = SparkEngine(session.newSession(), tmp_path)
    log = appended.read(spark, config)
    again = tmp_path / "again"
    again.mkdir()
    held = write_log(spark, log, appended.titles(spark, config), again)
    assert [file["file"] for file in held["files"]] == ["log.parquet"]
    assert held["clock"] == "millionths"
    with duckdb_engine.connect(config, again) as duck:
        table = read_log(duck, again, held).table
        rows = table.order_by("position").to_pyarrow().to_pylist()
    assert rows == [
        {
            "sequence": f"u{n % 3}",
            "item": f"i{n}",
            "timestamp": n * 1_000_000 + 500_000 * (n >= 59),
            "position": n,
        }
        for n in range(90)
    ]


def test_a_cluster_appends_nothing(engine, tmp_path):
    source = AppendedSource(
        get_source("csv"), tmp_path, SimpleNamespace(log={})
    )
    config = make_config(tmp_path, dataset="csv")
    with pytest.raises(InputError, match=r"`--append` .*on this mach.*duckdb"):
        source.read(engine, config)


@pytest.mark.parametrize(
    ("line", "pattern"),
    [
        (b"u,i", r"log\.csv, line 50: expected 3 fields .* Received 2: 'u,i'"),
        (b"u,i,1,2", r"log\.csv, line 50: expected 3 fields .* Received 4"),
        (b"u,\xff,1", r"log\.csv, line 50: the text must be utf-8"),
        (b"u,i,1.5.", r"log\.csv, line 50: expected a timestamp"),
        (b"u,i,1e3", r"log\.csv, line 50: expected a timestamp"),
        # Right for DuckDB, which would make another item of it.
        (b'u, "i",1', "no text beside the quotes.*--engine=duckdb"),
        (b'u,"i\nj",1', "goes on in the next line.*--engine=duckdb"),
    ],
)
def test_what_spark_would_read_otherwise_is_refused(
    session, tmp_path, line, pattern
):
    path = tmp_path / "log.csv"
    lines = [text.encode() for text in LINES]
    lines.insert(49, line)
    path.write_bytes(b"\n".join(lines))
    config = make_config(tmp_path, dataset="csv", raw_dir=str(path))
    with pytest.raises(InputError, match=pattern):
        prepare(config)
    assert [p.name for p in tmp_path.iterdir()] == ["log.csv"]


def test_lines_that_are_broken_by_a_carriage_return_are_refused(
    engine, tmp_path
):
    path = tmp_path / "x.txt"
    path.write_bytes(b"u a b\nv c\rd e\n")
    with pytest.raises(InputError, match="carriage return inside"):
        Lines(path).table(engine)


def test_a_gzip_file_cut_short_is_named(engine, tmp_path):
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress("\n".join(LINES * 99).encode())[:-20])
    with pytest.raises(InputError, match=r"x\.csv\.gz: .*cut short"):
        Delimited([path], columns=["a", "b", "c"]).table(engine, {"x": "a"})


def test_a_file_that_spark_leaves_out_is_named(engine, tmp_path):
    path = tmp_path / "_x.txt"
    path.write_text("a b\n")
    with pytest.raises(InputError, match=r"_x\.txt.*begin with _"):
        Lines(path).table(engine)


def test_a_path_may_lead_back(engine, tmp_path):
    (tmp_path / "deep" / "here").mkdir(parents=True)
    (tmp_path / "log").symlink_to(tmp_path / "deep" / "here")
    (tmp_path / "deep" / "x.txt").write_text("u a b\nv c d\n")
    # Beside the link there is no such file.
    table = Lines(tmp_path / "log" / ".." / "x.txt").table(engine)
    assert table.count().to_pyarrow().as_py() == 2


def test_a_failure_of_the_cluster_is_none_of_the_files(engine):
    numbers = engine.load("numbers", pa.table({"n": [2**62]}))

    class Fine:
        def check(self):
            pass

    # An overflow.
    with pytest.raises(engine.read_errors, match="overflow"):
        store(engine, "more", numbers.select(n=numbers.n * 4), Fine())


def test_ids_that_spark_writes_otherwise_are_refused(session, tmp_path):
    path = tmp_path / "log.parquet"
    columns = {"sequence": [1e10, 2.0], "item": ["a", "b"], "timestamp": [1, 2]}
    pq.write_table(pa.table(columns), path)
    config = make_config(tmp_path, dataset="csv", raw_dir=str(path))
    with pytest.raises(InputError, match="`--sequence_column` must be of str"):
        prepare(config)


@pytest.mark.parametrize(
    "line",
    [
        '{"a": 1} x',
        '{"a": 1} {"a": 2}',
        "{'a': 1}",
        '{"a": "x\ty"}',
        '{"a": 1',
        "",
    ],
)
def test_what_is_not_json_is_not_taken_for_it(engine, line):
    table = engine.load("lines", pa.table({"line": ['{"a": "é"}', line]}))
    found = table.select(
        valid=engine.is_json(table.line), a=engine.json_member(table.line, "a")
    )
    rows = found.to_pyarrow().to_pylist()
    assert rows[0] == {"valid": True, "a": "é"}
    assert rows[1]["valid"] is False


def test_a_stream_is_the_table_in_order_in_small_batches(engine, monkeypatch):
    monkeypatch.setattr(spark_engine, "_ROWS_AT_ONCE", 700)
    numbers = [n * 7 % 2000 for n in range(2000)]
    table = engine.load("numbers", pa.table({"n": numbers}))
    batches = list(engine.stream(table.order_by("n"), 500))
    found = [n for batch in batches for n in batch["n"].to_pylist()]
    assert found == sorted(numbers)
    assert max(batch.num_rows for batch in batches) <= 500


def test_a_stream_may_end_after_spark(session, monkeypatch):
    def gone(*arguments):
        raise ConnectionRefusedError

    engine = SparkEngine(session)
    stream = engine.stream(engine.load("few", pa.table({"n": [1, 2]})), 1)
    next(stream)
    monkeypatch.setattr(type(session.range(1)), "unpersist", gone)
    stream.close()


def test_some_partitions_are_asked_for_at_a_time(monkeypatch):
    monkeypatch.setattr(spark_engine, "_ROWS_AT_ONCE", 10)
    one, two, three = (n << 33 for n in (1, 2, 5))
    ranges = list(spark_engine._ranges([(1, 4), (2, 6), (5, 13)]))
    assert ranges == [
        (one, two + 5),
        (three, three + 9),
        (three + 10, three + 12),
    ]
    assert list(spark_engine._ranges([])) == []


def test_what_one_engine_prepared_the_other_opens(session, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("\n".join(LINES))
    settings = {"dataset": "csv", "raw_dir": str(path)}
    config = make_config(tmp_path, "duckdb", **settings)
    first = prepare(config)
    again = prepare(dataclasses.replace(config, engine="pyspark"))
    assert again.manifest == first.manifest
    assert "duckdb" in again.manifest.created_with


def test_a_failure_on_the_cluster_leaves_nothing(
    session, tmp_path, monkeypatch
):
    path = tmp_path / "log.csv"
    path.write_text("\n".join(LINES))

    def number_items(table):
        # An overflow, when it is computed.
        huge = (table.timestamp + 2**62) * 4
        return table.select("item", index=huge).order_by("index")

    monkeypatch.setattr(preparation.examples, "number_items", number_items)
    config = make_config(tmp_path, dataset="csv", raw_dir=str(path))
    with pytest.raises(InputError, match=r"Spark failed: .*overflow.*beside "):
        prepare(config)
    assert [p.name for p in tmp_path.iterdir()] == ["log.csv"]


def test_another_master_than_the_one_that_runs_is_refused(session, tmp_path):
    config = make_config(tmp_path, engine_url="local[7]")
    with (
        pytest.raises(InputError, match=r"`--engine_url` must be empty or the"),
        spark_engine.connect(config, tmp_path),
    ):
        pass


def test_the_command_starts_spark_quietly_and_ends_it(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("".join(f"u{n} a b c d e f\n" for n in range(9)))
    conf = tmp_path / "conf"
    conf.mkdir()
    lines = [f"{name} {value}\n" for name, value in _QUICK.items()]
    (conf / "spark-defaults.conf").write_text("".join(lines))
    result = commands.run(
        "tfrec.prepare",
        "--dataset=sequences",
        f"--raw_dir={path}",
        f"--data_dir={tmp_path / 'out'}",
        "--engine=pyspark",
        "--engine_url=local[1]",
        "--memory_limit=600MB",
        SPARK_CONF_DIR=str(conf),
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert "9 users" in result.stdout
    assert {p.name for p in tmp_path.iterdir()} == {"conf", "out", "x.txt"}
