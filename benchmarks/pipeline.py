"""Speed and memory of reading training batches, with nothing that learns.

    python -m benchmarks.pipeline
    python -m benchmarks.pipeline --gigabytes=0

Data of the shape of ML-1M (3,533 items; sequences of 70 items on the mean) are
written again and again into TFRecords and read by `PreparedDataset.training`:

* from 1, 2, 4 and 8 shards: sequences and items per second;
* against training: how many times faster than ACVAE, VASER and a VASER so
  small that nobody would train it take the same batches, all in one process,
  each batch at its fastest round;
* a data set of `--gigabytes`, read once and again: resident memory.

Takes some minutes and, for 10 GB, as much disk and 10 minutes or more a pass.
On two idle cores of an Intel Xeon:

                          sequences/s      items/s
     1 shard                  205,730   12,872,426
     2 shards                 204,337   12,785,234
     4 shards                 216,980   13,576,303
     8 shards                 200,888   12,569,426

                              items/s  reading them   ratio
    ACVAE, bfloat16            23,715     5,114,273   215.7
    VASER, bfloat16            40,163     2,170,113    54.0
    VASER, 16 units            94,463     3,668,873    38.8

and, with five times as much other work on them:

    10.0 GB, 45,665,312 sequences, 8 shards (with --passes=1)

       GB read  resident GB  sequences/s
           1.0        1.325       68,717
           4.0        1.325       65,325
           7.0        1.324       22,698
          10.0        1.287       28,565

One thread reads and shuffles, so that the number of shards is no matter; the
rest is spread over threads. Memory is flat; the speed follows the other work.
"""

from tfrec import cli, settings

# isort: split
import dataclasses
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from benchmarks.floor import fit_seconds
from benchmarks.generated import dataset
from tfrec.data import PreparedDataset
from tfrec.data.manifest import data_checksum, file_checksums
from tfrec.models import ACVAE, VASER, ACVAEConfig, Recommender, VASERConfig
from tfrec.settings import Settings, setting

SHARDS = (1, 2, 4, 8)


@dataclasses.dataclass(frozen=True)
class PipelineBenchmarkConfig(Settings):
    """What is measured."""

    gigabytes: float = setting(
        10.0, "Size of the data set read for its memory; 0: none.", minimum=0.0
    )
    folder: str = setting(
        "", "Folder to generate it in; empty: that of tempfile."
    )
    passes: int = setting(2, "How often it is read.", minimum=1)
    batch_size: int = setting(512, "Sequences in a batch.", minimum=2)
    max_length: int = setting(200, "Items kept of a sequence.", minimum=1)
    threads: int = setting(2, "Threads that TensorFlow may use.", minimum=1)
    rounds: int = setting(3, "Rounds; the fastest counts.", minimum=2)


class Read(NamedTuple):
    """What was read, and how long it took."""

    seconds: float
    sequences: int
    items: int


def read(batches: tf.data.Dataset) -> Read:
    """Reads batches to their end."""
    start, sequences, items = time.perf_counter(), 0, 0
    for batch in batches.as_numpy_iterator():
        sequences += len(batch.items)
        items += np.count_nonzero(batch.items)
    return Read(time.perf_counter() - start, sequences, items)


def repeat(
    data: PreparedDataset, folder: Path, shards: int, size: float
) -> PreparedDataset:
    """Writes the training records of a data set many times.

    Args:
        data: The data set.
        folder: Where to; made.
        shards: Number of files to write.
        size: Bytes to write, roughly.
    """
    train = data.manifest.splits["train"]
    # Files of records, one after the other, are a file of records.
    content = b"".join(
        (data.data_dir / shard["file"]).read_bytes()
        for shard in train["shards"]
    )
    times = max(1, round(size / shards / len(content)))
    folder.mkdir()
    for name in ("items.txt", "users.txt"):
        (folder / name).write_bytes((data.data_dir / name).read_bytes())
    for shard in range(shards):
        with open(folder / f"train-{shard}", "wb") as file:
            for _ in range(times):
                file.write(content)
    repeated = {
        **train,
        "records": shards * times * train["records"],
        "tokens": shards * times * train["tokens"],
        "shards": [
            {
                "file": f"train-{shard}",
                "records": times * train["records"],
                "bytes": times * len(content),
                # Looked at after a failure only.
                "sha256": "",
            }
            for shard in range(shards)
        ],
    }
    splits = {"train": repeated}
    files = file_checksums(folder)
    dataclasses.replace(
        data.manifest,
        splits=splits,
        files=files,
        data_checksum=data_checksum(splits, files),
    ).save(folder)
    return PreparedDataset.open(folder)


def measure_shards(
    config: PipelineBenchmarkConfig, data: PreparedDataset, folder: Path
) -> None:
    """Prints the speed from some numbers of shards."""
    print(f"{'':20}{'sequences/s':>13}{'items/s':>13}")
    for shards in SHARDS:
        copy = repeat(data, folder / f"{shards}", shards, 5e7)
        batches = copy.training(config.batch_size, config.max_length)
        fastest = min(read(batches) for _ in range(config.rounds))
        print(
            f"{shards:2} shard{'s' if shards > 1 else '':17}"
            f"{fastest.sequences / fastest.seconds:13,.0f}"
            f"{fastest.items / fastest.seconds:13,.0f}",
            flush=True,
        )


def models(num_items: int) -> Iterator[tuple[str, Recommender, int]]:
    """Gives models to be trained, with the sequences of a batch."""
    acvae = ACVAEConfig(matmul_dtype="bfloat16")
    yield "ACVAE, bfloat16", ACVAE(num_items, acvae), 64
    vaser = VASERConfig(matmul_dtype="bfloat16")
    yield "VASER, bfloat16", VASER(num_items, vaser), 512
    small = dataclasses.replace(
        vaser, embedding_dim=16, gru_units=16, latent_dim=16, flows=1
    )
    yield "VASER, 16 units", VASER(num_items, small), 512


def measure_training(
    config: PipelineBenchmarkConfig, data: PreparedDataset
) -> None:
    """Prints by how much training is slower."""
    print(f"\n{'':20}{'items/s':>13}{'reading them':>14}{'ratio':>8}")
    for name, model, batch_size in models(data.num_items):
        model.compile()
        length = model.config.max_length
        # A window of 32 has all lengths.
        batches = data.training(batch_size, length, epochs=1).take(32)
        longer = data.training(batch_size, length, epochs=5)
        steps, reads = [], []
        for _ in range(config.rounds):
            steps.append(fit_seconds(model, batches))
            reads.append(read(longer))
        trained = read(batches).items / np.min(steps, axis=0).sum()
        fastest = min(reads)
        alone = fastest.items / fastest.seconds
        print(
            f"{name:20}{trained:13,.0f}{alone:14,.0f}{alone / trained:8.1f}",
            flush=True,
        )


def resident_gigabytes() -> float:
    """Returns the memory that the process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e9


def measure_memory(
    config: PipelineBenchmarkConfig, data: PreparedDataset
) -> None:
    """Prints the resident memory while a large data set is read."""
    train = data.manifest.splits["train"]
    size = sum(shard["bytes"] for shard in train["shards"]) / 1e9
    print(
        f"\n{size:.1f} GB, {train['records']:,} sequences, "
        f"{len(train['shards'])} shards, read {config.passes} times\n\n"
        f"{'GB read':>10}{'resident GB':>13}{'sequences/s':>13}"
    )
    batches = data.training(
        config.batch_size, config.max_length, epochs=config.passes
    )
    every = max(1, len(batches) // (10 * config.passes))
    start, sequences = time.perf_counter(), 0
    for number, batch in enumerate(batches.as_numpy_iterator(), 1):
        sequences += len(batch.items)
        if number % every == 0:
            now = time.perf_counter()
            done = size * config.passes * number / len(batches)
            print(
                f"{done:10.1f}{resident_gigabytes():13.3f}"
                f"{sequences / (now - start):13,.0f}",
                flush=True,
            )
            start, sequences = now, 0


def main() -> None:
    """Measures and prints."""
    config = settings.from_flags(PipelineBenchmarkConfig)
    tf.config.threading.set_intra_op_parallelism_threads(config.threads)
    tf.config.threading.set_inter_op_parallelism_threads(config.threads)
    with (
        dataset() as data,
        tempfile.TemporaryDirectory(dir=config.folder or None) as folder,
    ):
        measure_shards(config, data, Path(folder))
        measure_training(config, data)
        if config.gigabytes:
            large = repeat(
                data, Path(folder, "large"), 8, 1e9 * config.gigabytes
            )
            measure_memory(config, large)


if __name__ == "__main__":
    cli.run(main, PipelineBenchmarkConfig)
