"""One model of one library with one seed: trained, ranked, kept in a file."""

import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.peers.data import NAME
from benchmarks.peers.models import PAIRS, flags, peer_settings
from tfrec.errors import InputError

LIBRARIES = ("tfrec", "recbole")
_PROGRAM = Path(__file__).with_name("recbole_side.py")
# A process has one thread, so that seconds can be compared.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
}


class Log(NamedTuple):
    """What all cells train on.

    Attributes:
        data_dir: The prepared dataset, absolute.
        raw_dir: Its raw files, absolute.
        atomic_file: The same for RecBole.
        checksum: Of the prepared dataset.
        num_items: Size of the vocabulary.
        mean_length: Targets of a training sequence.
    """

    data_dir: str
    raw_dir: str
    atomic_file: str
    checksum: str
    num_items: int
    mean_length: float


class Cell(NamedTuple):
    """What is run once.

    Attributes:
        library: One of `LIBRARIES`.
        model: Its name in `PAIRS`.
        seed: Of weights, noise and order.
    """

    library: str
    model: str
    seed: int

    @property
    def name(self) -> str:
        """Name of the files of the cell."""
        return f"{self.model}-{self.library}-{self.seed}"


def why_no_peer(python: str) -> str:
    """Returns why RecBole cannot be run, "" if it can.

    Args:
        python: The interpreter of its environment.
    """
    install = (
        "Make an environment for it (python3.11 -m venv peers && "
        "peers/bin/pip install -r benchmarks/peers/requirements.txt) and name "
        "its interpreter: --peer_python=peers/bin/python."
    )
    if not python:
        return f"RecBole is left out: no --peer_python. {install}"
    try:
        asked = subprocess.run(
            [python, "-c", "import recbole, torch"],
            capture_output=True,
            text=True,
        )
    except OSError as error:
        return f"RecBole is left out: {error}. {install}"
    if asked.returncode:
        last = (asked.stderr.strip().splitlines() or ["no message"])[-1]
        return f"RecBole is left out: {python} says {last}. {install}"
    return ""


def asked(cell: Cell, log: Log, epochs: int, patience: int) -> dict[str, Any]:
    """Returns the settings of a cell: a finished one is of these or is not."""
    if cell.library == "tfrec":
        settings = flags(cell.model, epochs, patience, log.mean_length)
    else:
        settings = peer_settings(cell.model, epochs, patience)
    return {**cell._asdict(), "data": log.checksum, "settings": settings}


def read(path: Path, wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns what a finished cell measured; None if there is none.

    Args:
        path: The file of the cell.
        wanted: What `asked` returned.

    Raises:
        InputError: If it was run with other settings.
    """
    if not path.exists():
        return None
    found = json.loads(path.read_text(encoding="utf-8"))
    # As JSON has it: lists for tuples.
    wanted = json.loads(json.dumps(wanted))
    for name in wanted:
        if found["asked"][name] != wanted[name]:
            raise InputError(
                f"{path} was run with other settings: {name} was "
                f"{found['asked'][name]} and is {wanted[name]}. Give another "
                "--output, or delete the file."
            )
    return found


def run(
    cell: Cell, log: Log, wanted: Mapping[str, Any], output: Path, python: str
) -> dict[str, Any]:
    """Trains and ranks; returns what is kept of it.

    Args:
        cell: What to run.
        log: What on.
        wanted: What `asked` returned.
        output: Folder of runs and logs, absolute.
        python: Of the environment of RecBole.

    Raises:
        InputError: If the process failed, naming its log.
    """
    settings = wanted["settings"]
    printed = output / "logs" / f"{cell.name}.log"
    run_dir = output / "runs" / cell.name
    resumed = run_dir.exists()
    if cell.library == "tfrec":
        command = tfrec_command(settings, log, run_dir, cell.seed)
        cost = _run(command, printed, Path.cwd())
        found = read_run(run_dir)
    else:
        with tempfile.TemporaryDirectory() as folder:
            task, answer = Path(folder, "task.json"), Path(folder, "answer")
            told = peer_task(settings, log, cell, run_dir)
            task.write_text(json.dumps(told))
            command = [python, "-W", "ignore", str(_PROGRAM)]
            command += [str(task), str(answer)]
            cost = _run(command, printed, Path(folder))
            found = json.loads(answer.read_text(encoding="utf-8"))
        found["ranks"] = ranks_of(found["above"], found["equal"])
    if resumed:
        # Only the last part was measured.
        cost = dict.fromkeys(cost)
    return {"asked": dict(wanted), **found, **cost}


def peer_task(
    settings: Mapping[str, Any], log: Log, cell: Cell, run_dir: Path
) -> dict[str, Any]:
    """Returns what `recbole_side` is told."""
    settings = dict(settings)
    return {
        "model": PAIRS[cell.model].peer,
        "dataset": NAME,
        "data_path": str(Path(log.atomic_file).parents[1]),
        "atomic_file": log.atomic_file,
        "num_items": log.num_items,
        "state": str(run_dir / "state"),
        "seed": cell.seed,
        "epochs": settings.pop("epochs"),
        "patience": settings.pop("patience"),
        "settings": settings,
    }


def ranks_of(above: Sequence[int], equal: Sequence[int]) -> list[int]:
    """Returns ranks as `tfrec.metrics.target_ranks` has them.

    Args:
        above: How many items have a greater score than each target.
        equal: How many the same, the target included.
    """
    pairs = zip(above, equal, strict=True)
    return [1 + (2 * more + same) // 2 for more, same in pairs]


def tfrec_command(
    settings: Mapping[str, Any], log: Log, run_dir: Path, seed: int
) -> list[str]:
    """Returns the command that trains with tfrec."""
    found = [sys.executable, "-m", "tfrec.train"]
    found += [f"--data_dir={log.data_dir}", f"--raw_dir={log.raw_dir}"]
    found += ["--dataset=ml-latest-small", "--protocol=leave_one_out"]
    found += [f"--run_dir={run_dir}", f"--seed={seed}", "--verbose=line"]
    for name, value in settings.items():
        if isinstance(value, bool):
            found.append(f"--{'' if value else 'no'}{name}")
        else:
            found.append(f"--{name}={value}")
    return found


def read_run(run_dir: Path) -> dict[str, Any]:
    """Returns what a finished run of tfrec measured."""
    from tfrec.metrics.ranks import Ranks
    from tfrec.training.files import read_json
    from tfrec.training.run import METRICS, RANKS

    numbers = read_json(run_dir / METRICS)
    rows = list(csv.DictReader((run_dir / "epochs.csv").open()))
    return {
        "ranks": Ranks.load(run_dir / RANKS).targets[:, 0].tolist(),
        "own_metrics": numbers["metrics"],
        "validation": [float(row["val_ndcg@10"]) for row in rows],
        "best_epoch": numbers["best_epoch"],
        "epochs": numbers["epochs"],
        "epoch_seconds": epoch_seconds(rows),
        "parameters": numbers["parameters"],
        "versions": numbers["versions"],
    }


def epoch_seconds(rows: Sequence[Mapping[str, str]]) -> list[float]:
    """Returns the seconds of training of each epoch, validation left out.

    Args:
        rows: Of `epochs.csv`.
    """
    found, before = [], 0
    for row in rows:
        steps, before = int(row["step"]) - before, int(row["step"])
        # Of an epoch of one step, which traces the graph, nothing is known.
        if rate := row.get("steps_per_second"):
            found.append(steps / float(rate))
    return found


def _run(
    command: Sequence[str], printed: Path, folder: Path
) -> dict[str, float | None]:
    """Runs a command to its end and returns what it took.

    Args:
        command: What to run.
        printed: File that gets what it prints.
        folder: Where it runs.

    Returns:
        `peak_bytes`, its largest resident memory, and `cpu_seconds`, which
        other programs on the machine change less than those of a clock.

    Raises:
        InputError: If it failed, naming its log.
    """
    printed.parent.mkdir(parents=True, exist_ok=True)
    with printed.open("a", encoding="utf-8") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, **ONE_THREAD},
            # It is told to stop once, from here, and not by Ctrl-C as well.
            start_new_session=True,
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            # tfrec writes a checkpoint first.
            process.terminate()
            process.wait()
            raise
    if status:
        raise InputError(f"{command[0]} failed; {printed} says why.")
    return {
        # In KiB on Linux.
        "peak_bytes": usage.ru_maxrss * 1024,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
    }
