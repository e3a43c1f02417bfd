"""The lists on Spark: each task makes some of the parts.

The parts go where they would go without Spark, so that the file has the same
bytes, and whoever goes on finds them. Executors need the run, the dataset and
the output at the same paths, and Python with tfrec.
"""

import dataclasses
import functools
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from tfrec.data import DataConfig
from tfrec.data.spark_engine import connect
from tfrec.lists.config import ListsConfig
from tfrec.lists.making import Work
from tfrec.lists.sources import open_source

# How often the driver looks for new parts.
_SECONDS = 1.0
# Settings that are paths.
_PATHS = (
    *("run_dir", "data_dir", "export_dir", "output"),
    *("users", "allow", "deny", "groups"),
)


def make_on_spark(work: Work, numbers: list[int]) -> Iterator[int]:
    """Makes parts on Spark; see `Work.make`.

    Raises:
        InputError: If Spark does not start, or failed.
    """
    given = work.config
    paths = {name: getattr(given, name) for name in _PATHS}
    absolute = {k: str(Path(v).absolute()) for k, v in paths.items() if v}
    config = dataclasses.replace(given, **absolute)
    # Spark would take the python3 of the PATH.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    settings = DataConfig(engine=given.engine, engine_url=given.engine_url)
    with connect(settings, work.parts.folder) as engine:
        session = engine.session
        tasks = min(len(numbers), session.sparkContext.defaultParallelism)
        frame = session.range(0, tasks, 1, tasks)
        made = frame.mapInArrow(task(config, numbers, tasks), "part long")
        failed: list[BaseException] = []

        def collect() -> None:
            try:
                made.collect()
            # Raised again where it is waited for.
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=collect, daemon=True)
        thread.start()
        left = set(numbers)
        while left:
            thread.join(_SECONDS)
            # Before the parts are looked for: then all are there.
            ended = not thread.is_alive()
            new = sorted(filter(work.parts.done, left))
            left.difference_update(new)
            yield from new
            if failed:
                raise failed[0]
            if ended and left:
                raise RuntimeError(f"Spark left out the parts {sorted(left)}.")
        thread.join()


def task(
    config: ListsConfig, numbers: list[int], tasks: int
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Returns what `mapInArrow` calls on the executors.

    Args:
        config: Settings, with absolute paths.
        numbers: The parts to make.
        tasks: Number of tasks, which share them in turn.

    Returns:
        A function from batches with the number of a task, `id`, to batches
        with the numbers of its parts, `part`.
    """

    def make(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column("id").to_pylist():
                work = _opened(config)
                # A task that was lost is begun again.
                own = numbers[number::tasks]
                left = [n for n in own if not work.parts.done(n)]
                made = pa.array(list(work.make(left)), pa.int64())
                yield pa.RecordBatch.from_arrays([made], ["part"])

    return make


@functools.lru_cache(1)
def _opened(config: ListsConfig) -> Work:
    """Opens the source, once in each process of Python."""
    return Work(open_source(config), config)
