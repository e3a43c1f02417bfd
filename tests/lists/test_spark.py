"""The lists on Spark, with a Spark that runs its tasks in this process."""

import contextlib
import types

import pyarrow as pa
import pytest

pytest.importorskip("pyspark", reason="tfrec[spark] is not installed")

from tfrec.lists import spark
from tfrec.lists.config import ListsConfig
from tfrec.lists.making import make_lists
from tfrec.lists.runs import RunSource


class Session:
    """Has what is used of a session; `fail` is raised by its tasks."""

    sparkContext = types.SimpleNamespace(defaultParallelism=3)

    def __init__(self, fail=None):
        self.fail = fail
        self.parts = []

    def range(self, start, end, step, partitions):
        assert (start, end, step, partitions) == (0, 3, 1, 3)
        return self

    def mapInArrow(self, task, schema):
        assert schema == "part long"
        self.task = task
        return self

    def collect(self):
        if self.fail:
            raise self.fail
        for number in (2, 0, 1):
            batch = pa.RecordBatch.from_pydict({"id": [number]})
            for made in self.task(iter([batch])):
                self.parts.append(made.column("part").to_pylist())


@pytest.fixture
def source(run, monkeypatch):
    source = RunSource(run, 3)
    monkeypatch.setattr(spark, "open_source", lambda config: source)
    monkeypatch.setattr(spark, "_SECONDS", 0.01)
    spark._opened.cache_clear()
    yield source
    spark._opened.cache_clear()


def use(session, monkeypatch):
    @contextlib.contextmanager
    def connect(config, folder):
        assert config.engine == "pyspark" and folder.is_dir()
        yield types.SimpleNamespace(session=session)

    monkeypatch.setattr(spark, "connect", connect)
    return session


def make(path, source, **run):
    config = ListsConfig(output=path, k=3, engine="pyspark")
    make_lists(source, config, **run)
    return path.read_bytes()


def test_tasks_share_the_parts_and_make_the_same_file(
    source, tmp_path, monkeypatch
):
    session = use(Session(), monkeypatch)
    one = make(tmp_path / "one.csv", source)
    other = make(tmp_path / "other.csv", source, run=spark.make_on_spark)
    assert one == other
    assert session.parts == [[2, 5], [0, 3, 6], [1, 4, 7]]


def test_a_failure_of_spark_is_one_of_the_command(
    source, tmp_path, monkeypatch
):
    use(Session(ConnectionError("gone")), monkeypatch)
    with pytest.raises(ConnectionError, match="gone"):
        make(tmp_path / "x.csv", source, run=spark.make_on_spark)
    assert not (tmp_path / "x.csv").exists()
