"""Lists per second for everybody, from a run, on a large catalogue.

    python -m benchmarks.lists
    python -m benchmarks.lists --model=sasrec --items=1000000 --users=1000

Makes a dataset and a model with random weights, for the time does not depend
on what they learned, and writes the ten best items of each user to Parquet as
`tfrec recommend --output` does: histories from TFRecords, scores of all items,
the history left out, parts, and the file. The first, small file, in which the
graphs are traced, does not count. Prints lists per second, and what a million
users would take at that rate, which is an extrapolation: a list takes the same
work whoever it is for. On a machine that others use too, the lists per second
of a processor tell more.
"""

from tfrec import cli, settings

# isort: split
import dataclasses
import resource
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfrec.data import DataConfig, PreparedDataset, prepare
from tfrec.data.histories import Histories
from tfrec.durations import duration
from tfrec.errors import InputWarning
from tfrec.lists.config import ListsConfig
from tfrec.lists.making import make_lists
from tfrec.lists.runs import RunSource
from tfrec.models import get_model
from tfrec.settings import Settings, setting
from tfrec.training import Run, TrainingConfig

_MILLION = 1_000_000
# Histories of the first batch.
_WARM_UP = 300
# Users with long histories, beside the others.
_LONG = 50


@dataclasses.dataclass(frozen=True)
class ListsBenchmarkConfig(Settings):
    """What is measured."""

    model: str = setting("acvae", "The model, with its default settings.")
    items: int = setting(100_000, "Size of the catalogue.", minimum=1000)
    users: int = setting(4_000, "Users, of which each gets a list.", minimum=1)
    length: int = setting(50, "Items of a history, on average.", minimum=4)
    threads: int = setting(2, "Threads that TensorFlow may use.", minimum=1)


def dataset(folder: Path, config: ListsBenchmarkConfig) -> PreparedDataset:
    """Makes users of half to one and a half of the length, at random.

    A few more with long histories see to it that every item occurs.
    """
    rng = np.random.default_rng(0)
    low, high = config.length // 2, config.length * 3 // 2
    rows = [
        rng.integers(0, config.items, n)
        for n in rng.integers(low, high, config.users)
    ]
    # The last item, which is held out, occurs before.
    parts = np.array_split(np.arange(config.items), _LONG)
    rows += [np.append(part, part[0]) for part in parts]
    log = folder / "log.txt"
    with open(log, "w", encoding="utf-8") as file:
        for user, row in enumerate(rows):
            file.write(f"user-{user} {' '.join(map(str, row))}\n")
    return prepare(
        DataConfig(
            dataset="sequences",
            raw_dir=log,
            data_dir=folder / "data",
            protocol="leave_one_out",
        )
    )


def main() -> None:
    """Measures and prints."""
    config = settings.from_flags(ListsBenchmarkConfig)
    # Random items come again, which is not measured.
    warnings.simplefilter("ignore", InputWarning)
    tf.config.threading.set_intra_op_parallelism_threads(config.threads)
    tf.config.threading.set_inter_op_parallelism_threads(config.threads)
    model = get_model(config.model)(config.items)
    with tempfile.TemporaryDirectory() as name:
        data = dataset(Path(name), config)
        run = Run(Path(name), model, data, TrainingConfig(model=config.model))
        source = RunSource(run, 10)
        for _, histories in Histories(data).blocks(_WARM_UP, lambda n: n == 0):
            source.best(histories)
        start, busy = time.perf_counter(), time.process_time()
        made = make_lists(
            source, ListsConfig(output=Path(name, "lists.parquet"))
        )
        seconds = time.perf_counter() - start
        busy = time.process_time() - busy
    rate = made.users / seconds
    # In KiB on Linux.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(
        f"{config.model}, {config.items:,} items, histories of "
        f"{config.length}, {config.threads} threads: {made.users:,} lists in "
        f"{seconds:.1f} s, {rate:,.0f} per second; {made.users / busy:,.0f} "
        f"per second of a processor; {peak:.1f} GB at most.\n"
        f"A million users at that rate: {duration(_MILLION / rate)}."
    )


if __name__ == "__main__":
    cli.run(main, ListsBenchmarkConfig)
