"""Feeds preparation with files that are small on disk or in lines, but huge.

Each must end with a prepared dataset, or with one line that names the file,
within bounds of memory and of processor time:

* `line`: one line of --megabytes among others, as where line ends got lost;
* `gzip`: the same in a CSV file, compressed to a thousandth or so;
* `rows`: a small Parquet file of 10,000 equal rows for each of --megabytes, all
  of one sequence, which is held as a whole.

The memory is the most that the command held. A small process starts it and
counts: Linux also counts what the process held that was forked.

    python -m tests.chaos bombs
    python -m tests.chaos bombs --bombs=gzip --megabytes=8192
    python -m tests.chaos bombs --bombs=rows --memory_limit=512MB
"""

import dataclasses
import gzip
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from tests.chaos.config import AttackConfig, Tally, finish
from tfrec import cli, settings
from tfrec.settings import setting

_MEGABYTE = 1 << 20
_ROWS = 10_000
# Its arguments: seconds, and the command. Prints the status and the KiB.
_MEASURED = """
import resource, subprocess, sys
seconds, *command = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds)))
status = subprocess.call(command, stdout=subprocess.DEVNULL)
print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@dataclasses.dataclass(frozen=True)
class BombsConfig(AttackConfig):
    """How large they are, and what they may take."""

    bombs: tuple[str, ...] = setting(
        ("line", "gzip", "rows"),
        "What is tried.",
        choices=("line", "gzip", "rows"),
    )
    megabytes: int = setting(1024, "Size of the line.", minimum=8)
    seconds: float = setting(300.0, "Most processor time of one.", above=0)
    most_megabytes: float = setting(
        2048.0, "Most memory that the command may hold.", above=0
    )
    memory_limit: str = setting(
        "1GB", "That of the preparation, which is not all that it holds."
    )


def main() -> None:
    """Attacks as the flags say and prints what came of it."""
    config = settings.from_flags(BombsConfig)
    with tempfile.TemporaryDirectory() as folder:
        tally = attack(config, Path(folder))
    finish(tally)


def attack(config: BombsConfig, folder: Path) -> Tally:
    """Prepares each bomb.

    Args:
        config: What they are.
        folder: Where all is done.
    """
    tally = Tally(config)
    for name in config.bombs:
        raw = _WRITERS[name](folder, config.megabytes)
        status, held, text = prepare(raw, folder / name, config)
        print(
            f"{name}: {raw.stat().st_size:,} bytes, {held:,.0f} MB held: "
            f"{text.strip() or 'prepared'}",
            flush=True,
        )
        lines = [x for x in text.splitlines() if x.startswith("error: ")]
        if held > config.most_megabytes:
            tally.failed(name, f"it held {held:,.0f} MB")
        elif status == 0 and name == "rows":
            tally.held(name, "prepared")
        elif status == 1 and len(lines) == 1 and str(raw) in lines[0]:
            tally.held(name, "told")
        else:
            tally.failed(name, f"status {status}: {text[-2000:]}")
        raw.unlink()
    return tally


def prepare(
    raw: Path, data: Path, config: BombsConfig
) -> tuple[int, float, str]:
    """Prepares a file in a process of its own.

    Args:
        raw: The file.
        data: Folder of the dataset.
        config: What it may take.

    Returns:
        Its status, the most memory that it held in megabytes, its errors.
    """
    command = (
        *(sys.executable, "-m", "tfrec.prepare"),
        f"--dataset={'sequences' if raw.suffix == '.txt' else 'csv'}",
        f"--raw_dir={raw}",
        f"--data_dir={data}",
        f"--memory_limit={config.memory_limit}",
    )
    return measured(command, config.seconds)


def measured(command: Sequence[str], seconds: float) -> tuple[int, float, str]:
    """Runs a command.

    Args:
        command: The command.
        seconds: Most processor time.

    Returns:
        Its status, the most memory that it held in megabytes, its errors.
    """
    limit = str(int(seconds) + 1)
    with tempfile.TemporaryFile("w+") as errors:
        printed = subprocess.run(
            [sys.executable, "-c", _MEASURED, limit, *command],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            check=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        ).stdout
        errors.seek(0)
        text = errors.read()
    status, kib = (int(number) for number in printed.split())
    return status, kib * 1024 / _MEGABYTE, text


def _write_line(folder: Path, megabytes: int) -> Path:
    path = folder / "log.txt"
    with open(path, "wb") as file:
        _fill(file, b"u1 a b c d e\nu2 ", megabytes, b"\nu3 a b c d e\n")
    return path


def _write_gzip(folder: Path, megabytes: int) -> Path:
    path = folder / "log.csv.gz"
    with gzip.open(path, "wb", 1) as file:
        _fill(file, b"sequence,item,timestamp\n", megabytes, b"\n")
    return path


def _fill(file: BinaryIO, head: bytes, megabytes: int, tail: bytes) -> None:
    file.write(head)
    for _ in range(megabytes):
        file.write(b"0" * _MEGABYTE)
    file.write(tail)


def _write_rows(folder: Path, megabytes: int) -> Path:
    path = folder / "log.parquet"
    columns = {"sequence": ["u1"], "item": ["a"], "timestamp": [1]}
    one = pa.table(columns)
    rows = one.take(pa.array([0] * _ROWS))
    with pq.ParquetWriter(path, one.schema, compression="zstd") as writer:
        for _ in range(megabytes):
            writer.write_table(rows)
    return path


_WRITERS = {"line": _write_line, "gzip": _write_gzip, "rows": _write_rows}


def run() -> None:
    """Runs the command."""
    cli.run(main, BombsConfig)


if __name__ == "__main__":
    run()
