"""Spark: a cluster that is there already, or this machine.

Nothing of ours runs on the executors, so they need no Python: raw files are
read, checked and ordered by Spark's own functions.
"""

import contextlib
import re
import signal
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from tfrec.data.config import DataConfig
from tfrec.data.engine import PLACE, Engine
from tfrec.errors import InputError

try:
    from py4j.java_gateway import JavaGateway
    from py4j.protocol import Py4JError
    from pyspark import SparkConf, SparkContext
    from pyspark.errors import AnalysisException, PySparkException
    from pyspark.errors.exceptions.captured import CapturedException
    from pyspark.java_gateway import launch_gateway
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql import functions as F

    from tfrec.data import spark_files
    from tfrec.data.spark_files import REMEDY
except ImportError as error:
    raise InputError(
        "`--engine=pyspark` needs pyspark: pip install '.[spark]'. "
        f"Received: {error}."
    ) from error

# Spark refuses to start with less than 450 MiB.
_LEAST_MEMORY = 512 << 20
_UNITS = {"K": 1, "M": 2, "G": 3, "T": 4}
# What decides the result, whatever the cluster's own defaults are.
_SQL_SETTINGS = {
    # An overflow is an error and no other number.
    "spark.sql.ansi.enabled": "true",
    # Days and times without a zone are of UTC.
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.caseSensitive": "true",
    "spark.sql.files.ignoreCorruptFiles": "false",
    "spark.sql.files.ignoreMissingFiles": "false",
    "spark.sql.parser.escapedStringLiterals": "false",
    # Between Java and Python, without a Python process for each partition.
    "spark.sql.execution.arrow.pyspark.enabled": "true",
}
# How Spark names an error in a file: raised by `spark_files`, or by a reader.
# All else is no fault of the files: memory, disks, executors that are lost.
_FILE_ERRORS = re.compile(r"\[(USER_RAISED_EXCEPTION|FAILED_READ_FILE)\b")
# Rows that come from the cluster at a time: some 40 MB.
_ROWS_AT_ONCE = 1_000_000
# `monotonically_increasing_id` counts in the low bits, from 0 in a partition.
_PARTITION_BITS = 33


@contextlib.contextmanager
def connect(config: DataConfig, folder: Path) -> Iterator["SparkEngine"]:
    """Opens a session of Spark, in the application of this process if any.

    Args:
        config: Gives the master, and the memory if it is this machine.
        folder: An existing folder, where Spark works if it is this machine.

    Raises:
        InputError: If Spark does not start; on leaving, if it failed.
    """
    with warnings.catch_warnings():
        # What it says of pandas 3 concerns nothing that is used here.
        warnings.filterwarnings("ignore", "PySpark does not yet fully support")
        # An error follows, which says it.
        warnings.filterwarnings("ignore", r"\w+ attempted Arrow optimization")
        active = SparkContext._active_spark_context
        opened = _joined(config, active) if active else _started(config, folder)
        with opened as session:
            try:
                for name, value in _SQL_SETTINGS.items():
                    session.conf.set(name, value)
                here = session.sparkContext.master.startswith("local")
                yield SparkEngine(session, folder if here else None)
            except AnalysisException:
                raise  # A query that is wrong, which no setting mends.
            except (PySparkException, Py4JError, ConnectionError) as error:
                raise _failed(config, error) from error


def _launched(
    conf: SparkConf, streams: dict[str, Any], folder: Path
) -> JavaGateway:
    """Starts Java, with PySpark's temporary files in a folder.

    Killed in this moment, PySpark leaves them; the folder is deleted later.
    """
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        return launch_gateway(conf, streams)
    finally:
        tempfile.tempdir = before


@contextlib.contextmanager
def _started(config: DataConfig, folder: Path) -> Iterator[SparkSession]:
    """Starts Spark for this preparation, and ends it."""
    conf = SparkConf()
    conf.setMaster(config.engine_url or "local[*]")
    conf.setAppName("tfrec.prepare")
    conf.set("spark.ui.showConsoleProgress", "false")
    on_interrupt = signal.getsignal(signal.SIGINT)
    gateway = SparkContext._gateway
    with contextlib.ExitStack() as stack:
        streams = {}
        if config.on_this_machine:
            # A cluster's log goes where its configuration says.
            log = stack.enter_context(open(folder / "spark.log", "w"))
            streams["stderr"] = log
            conf.set("spark.driver.memory", f"{_bytes(config) >> 20}m")
            conf.set("spark.local.dir", str(folder))
            conf.set("spark.ui.enabled", "false")
            conf.set("spark.driver.host", "127.0.0.1")
        try:
            if gateway is None:
                gateway = _launched(conf, streams, folder)
                stack.callback(_end_java, gateway)
            context = SparkContext(conf=conf, gateway=gateway)
            stack.callback(_stop, context, on_interrupt)
            # A cluster that is not there is noticed here.
            session = SparkSession(context)
            if config.on_this_machine:
                # 200 by default, for clusters.
                tasks = 2 * context.defaultParallelism
                session.conf.set("spark.sql.shuffle.partitions", tasks)
        except (PySparkException, Py4JError, OSError) as error:
            raise InputError(
                f"Spark does not start at {conf.get('spark.master')}: "
                f"{_reason(error)}. It needs Java 17 or 21, on the PATH or in "
                "JAVA_HOME; `--engine_url` says where it runs."
            ) from error
        yield session


def _stop(context: SparkContext, on_interrupt: Any) -> None:
    """Stops Spark, which has taken the signal of Ctrl-C for itself."""
    with contextlib.suppress(Py4JError, ConnectionError):
        context.stop()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, on_interrupt)


def _end_java(gateway: JavaGateway) -> None:
    """Ends the Java that was started here: training needs its memory."""
    gateway.shutdown()
    SparkContext._gateway = SparkContext._jvm = None
    if process := getattr(gateway, "proc", None):
        # It runs until nobody can write to it.
        process.stdin.close()
        process.wait()


@contextlib.contextmanager
def _joined(
    config: DataConfig, context: SparkContext
) -> Iterator[SparkSession]:
    """Gives a session of its own in the Spark that runs already."""
    if config.engine_url not in ("", context.master):
        raise InputError(
            "`--engine_url` must be empty or the master of the Spark that runs "
            f"in this process, {context.master}. Received: "
            f"{config.engine_url}."
        )
    yield SparkSession(context).newSession()


def _bytes(config: DataConfig) -> int:
    """Returns `memory_limit` in bytes."""
    number, unit, binary = re.fullmatch(
        r"([0-9.]+) *([KMGT])(i?)B", config.memory_limit
    ).groups()
    size = int(float(number) * (1024 if binary else 1000) ** _UNITS[unit])
    if size < _LEAST_MEMORY:
        raise InputError(
            "`--memory_limit` must be at least 512MiB with --engine=pyspark. "
            f"Received: {config.memory_limit}."
        )
    return size


def _failed(config: DataConfig, error: Exception) -> InputError:
    text = str(error)
    remedy = (
        f"Give more than `--memory_limit`={config.memory_limit}"
        if config.on_this_machine and "OutOfMemory" in text
        else f"Is there space beside {config.data_path} and on its disks, and "
        "are all executors alive (`--engine_url`)? What it wrote is removed: "
        "run it again"
    )
    return InputError(f"Spark failed: {_reason(error)}. {remedy}.")


def _reason(error: Exception) -> str:
    """Returns the first line of what went wrong, without Java's trace."""
    lines = str(error).split("\n")
    # What Java says follows what was called.
    called = lines[0].startswith("An error occurred while calling")
    text = lines[called and len(lines) > 1].removeprefix(": ")
    text = re.sub(r" SQLSTATE: \w+$", "", text)
    return re.sub(r"^\[USER_RAISED_EXCEPTION\] ", "", text).rstrip(".")


class SparkEngine(Engine):
    """Spark behind Ibis.

    Args:
        session: An open session.
        folder: See base class.

    Attributes:
        session: As given.
    """

    # What comes from Java.
    read_errors = (CapturedException, Py4JError)

    def __init__(self, session: SparkSession, folder: Path | None = None):
        self.session = session
        self.folder = folder
        self.connection = ibis.pyspark.connect(session)

    def reason(self, error: Exception) -> str:
        return _reason(error)

    def blames_files(self, error: Exception) -> bool:
        return bool(_FILE_ERRORS.search(str(error)))

    def store(self, name: str, table: ir.Table) -> ir.Table:
        return self._keep(name, self._frame(table))

    def load(self, name: str, table: pa.Table) -> ir.Table:
        return self._keep(name, self.session.createDataFrame(table))

    def stream(self, table: ir.Table, rows: int) -> Iterator[pa.RecordBatch]:
        # Numbered where they are sorted, so that some can be asked for, in
        # order: Spark skips the blocks that have none of these numbers.
        number = F.monotonically_increasing_id()
        ordered = self._frame(table).withColumn(PLACE, number).persist()
        try:
            partition = F.shiftright(PLACE, _PARTITION_BITS)
            sizes = ordered.groupBy(partition.alias("partition")).count()
            for first, last in _ranges(sorted(map(tuple, sizes.collect()))):
                some = ordered.filter(F.col(PLACE).between(first, last))
                some = some.drop(PLACE).toArrow().combine_chunks()
                yield from some.to_batches(max_chunksize=rows)
        finally:
            # Where nobody asks on, Spark may have ended before this does.
            with contextlib.suppress(Py4JError, ConnectionError):
                ordered.unpersist()

    def lines(self, path: Path, encoding: str) -> ir.Table:
        lines = spark_files.lines_of(self.session, [path], encoding)
        return self._view(lines.select("position", lines.value.alias("line")))

    def delimited(
        self,
        paths: Sequence[Path],
        separator: str,
        width: int,
        headers: Sequence[int],
        chosen: Mapping[str, int],
    ) -> ir.Table:
        lines = spark_files.lines_of(self.session, paths, blank_too=False)
        if headers:
            before = lines["file"] + 1
            lines = lines.filter(lines.row > 0)
            lines = lines.withColumn("position", lines.position - before)
        fields = spark_files.split(lines.value, separator, width)
        lines = lines.select("position", fields.alias("fields"))
        texts = {
            name: spark_files.unquoted(lines.fields[n])
            for name, n in chosen.items()
        }
        return self._view(
            lines.select("position", *(c.alias(n) for n, c in texts.items()))
        )

    def parquet_schema(self, path: Path) -> ibis.Schema:
        try:
            return self._view(self._read_parquet([path])).schema()
        except PySparkException as error:
            raise InputError(
                f"{path} cannot be read as Parquet by Spark: {_reason(error)}. "
                f"If it is a Parquet file, {REMEDY}."
            ) from error

    def parquet(self, paths: Sequence[Path]) -> ir.Table:
        rows = self._read_parquet(paths).select(
            F.col("_metadata.file_path").alias("path"),
            F.lit(0).alias("block"),
            F.col("_metadata.row_index").alias("n"),
            F.struct("*").alias("value"),
        )
        rows = spark_files.placed(rows, paths)
        return self._view(rows.select(rows.position.alias(PLACE), "value.*"))

    def text(self, column: ir.Column) -> ir.StringValue:
        kind = column.type()
        if kind.is_string() or kind.is_integer():
            return column.cast("string")
        raise InputError(
            f"`--{column.get_name()}_column` must be of strings or integers "
            f"with --engine=pyspark. Received: {kind}, which Spark writes "
            f"otherwise; {REMEDY}."
        )

    def is_json(self, text: ir.StringValue) -> ir.BooleanValue:
        # Each of the two lets something pass that is not JSON: one what
        # follows the value, the other single quotes and control characters.
        alone = json_array_length(ibis.literal("[") + text + "]") == 1
        return try_parse_json(text).notnull() & alone.fill_null(False)

    def json_member(self, text: ir.StringValue, name: str) -> ir.StringValue:
        return get_json_object(text, f"$.{name}")

    def _frame(self, table: ir.Table) -> DataFrame:
        return self.session.sql(self.connection.compile(table))

    def _keep(self, name: str, frame: DataFrame) -> ir.Table:
        # A plan that began at the raw files would double with every join of a
        # table with itself; a checkpoint is the end of it.
        return self._view(spark_files.checkpoint(frame), name)

    def _view(self, frame: DataFrame, name: str | None = None) -> ir.Table:
        name = name or ibis.util.gen_name("tfrec")
        frame.createOrReplaceTempView(name)
        return self.connection.table(name)

    def _read_parquet(self, paths: Sequence[Path]) -> DataFrame:
        return self.session.read.parquet(*spark_files.uris(paths))


def _ranges(sizes: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yields the first and the last number of so many rows at a time.

    Args:
        sizes: Each partition that has rows, and how many.
    """
    first = last = None
    taken = 0
    for partition, size in sizes:
        begin = partition << _PARTITION_BITS
        for start in range(begin, begin + size, _ROWS_AT_ONCE):
            count = min(_ROWS_AT_ONCE, begin + size - start)
            if first is not None and taken + count > _ROWS_AT_ONCE:
                yield first, last
                first, taken = None, 0
            first = start if first is None else first
            last = start + count - 1
            taken += count
    if first is not None:
        yield first, last


@ibis.udf.scalar.builtin
def get_json_object(document: str, path: str) -> str:
    """Spark's: a part of a JSON text, as text."""


@ibis.udf.scalar.builtin
def json_array_length(document: str) -> int:
    """Spark's: the length of a JSON array, null if it is none."""


@ibis.udf.scalar.builtin
def try_parse_json(document: str) -> str:
    """Spark's: a value that is null if the text is not JSON."""
