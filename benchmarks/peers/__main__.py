"""tfrec's models beside those of RecBole: scores, seconds, memory.

    python3.11 -m venv peers
    peers/bin/pip install -r benchmarks/peers/requirements.txt
    python -m benchmarks.peers --raw_dir=ml-latest-small \\
        --peer_python=peers/bin/python --output=runs/peers

One protocol for both: MovieLens latest-small as tfrec prepares it, the last
item of each user as the target of the test, the one before it for validation,
a full ranking without the history. RecBole reads the same sequences from a
file that is written for it. The ranks of both go through the same functions of
tfrec. Popularity, which nothing random is in, is compared first, user by user.

Settings are as near as the two designs allow: `benchmarks/peers/models.py`
says which they are, and `benchmarks/peers/recbole_side.py` what is changed of
RecBole. An epoch has the same number of targets and of steps in both, but for
BERT4Rec; that model and MultiVAE have more epochs, and more patience. Every
process has one thread. "s an epoch" is the median over epochs of training
alone, by the clock; "CPU s an epoch" is the processor time of the whole run,
with its start and the validations, over its epochs.

A cell is a library, a model and a seed. A finished one is a file in
`--output/cells` and is not run again; one that was stopped goes on after its
last epoch, and its memory and processor seconds are left out. The tables are
printed whenever the command is run, of what is finished.

RecBole 1.2.1 needs NumPy 1 and pandas 2. What was tested is in
`benchmarks/peers/requirements.txt` (Python 3.11; PyTorch 2.13 for CPUs).
"""

from tfrec import cli, settings

# isort: split
import contextlib
import dataclasses
import os
import signal
import sys
import time
from pathlib import Path

from benchmarks.peers.cells import (
    LIBRARIES,
    Cell,
    Log,
    asked,
    read,
    run,
    why_no_peer,
)
from benchmarks.peers.models import PAIRS
from tfrec.errors import InputError
from tfrec.settings import Settings, setting
from tfrec.table_text import FORMATS


@dataclasses.dataclass(frozen=True)
class PeersConfig(Settings):
    """What is compared, and where it is kept."""

    raw_dir: str = setting(
        "", "Folder of MovieLens latest-small.", required=True
    )
    output: str = setting("runs/peers", "Folder of all that is made.")
    peer_python: str = setting(
        "", "Interpreter of an environment with RecBole. Empty: tfrec alone."
    )
    only: tuple[str, ...] = setting(
        tuple(PAIRS), "Models to run, in this order.", choices=tuple(PAIRS)
    )
    seeds: tuple[int, ...] = setting((0,), "Seeds of each model.", minimum=0)
    epochs: int = setting(200, "Largest number of epochs.", minimum=1)
    patience: int = setting(
        10, "Epochs without a better validation NDCG@10.", minimum=1
    )
    train: bool = setting(True, "Run what is not finished.")
    keep: bool = setting(
        False, "Keep the finished cells in results/, for docs/results.md."
    )
    format: str = setting("text", "Of the tables.", choices=FORMATS)


def prepare_log(config: PeersConfig) -> Log:
    """Prepares the data for both libraries.

    Args:
        config: Says where it is.
    """
    from benchmarks.peers.data import read_sequences, write_atomic
    from tfrec.data import DataConfig, prepare

    output = Path(config.output).absolute()
    raw_dir = str(Path(config.raw_dir).absolute())
    data = prepare(
        DataConfig(
            dataset="ml-latest-small",
            protocol="leave_one_out",
            raw_dir=raw_dir,
            data_dir=str(output / "data"),
        )
    )
    sequences = read_sequences(data)
    # Of a training sequence the first item is no target.
    targets = sum(len(items) - 3 for items in sequences)
    return Log(
        data_dir=str(data.data_dir),
        raw_dir=raw_dir,
        atomic_file=str(write_atomic(output / "recbole", sequences)),
        checksum=data.manifest.data_checksum,
        num_items=data.num_items,
        mean_length=targets / len(sequences),
    )


def cells(config: PeersConfig) -> list[Cell]:
    """Returns what is compared, popularity first.

    Args:
        config: Names models and seeds.
    """
    found = [Cell(library, "pop", 0) for library in LIBRARIES]
    for seed in config.seeds:
        for model in config.only:
            if model != "pop":
                found += [Cell(library, model, seed) for library in LIBRARIES]
    return found


def main() -> None:
    """Runs what is missing, then prints the tables."""
    config = settings.from_flags(PeersConfig)
    # Otherwise the process that trains would go on alone.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # What is finished can be shown without it.
    python = config.peer_python
    if os.sep in python:
        # It is run elsewhere.
        python = os.path.abspath(python)
    reason = why_no_peer(python) if config.train else ""
    if reason:
        print(reason, flush=True)

    from benchmarks.peers import table as tables
    from tfrec.training.files import locked, write_json

    output = Path(config.output).absolute()
    answers, failed = {}, []
    alone = contextlib.nullcontext()
    if config.train:
        alone = locked(output, "comparing in", "--output")
    with alone:
        log = prepare_log(config)
        for cell in cells(config):
            wanted = asked(cell, log, config.epochs, config.patience)
            path = output / "cells" / f"{cell.name}.json"
            answer = read(path, wanted)
            there = cell.library == "tfrec" or not reason
            if answer is None and config.train and there:
                print(f"{time.strftime('%H:%M')} {cell.name}", flush=True)
                try:
                    answer = run(cell, log, wanted, output, python)
                except InputError as error:
                    # The others do not depend on it.
                    print(f"  failed: {error}", flush=True)
                    failed.append(cell.name)
                    continue
                path.parent.mkdir(exist_ok=True)
                write_json(path, answer, "--output")
            if answer is None:
                continue
            worst = tables.check_metrics(cell, answer)
            answers[cell] = answer
            print(f"  {cell.name}: own metrics within {worst:.1g}", flush=True)
            if cell == Cell("recbole", "pop", 0):
                ours = answers.get(Cell("tfrec", "pop", 0))
                if ours:
                    print(tables.check_pop(ours, answer), flush=True)
    caption = (
        "test: leave_one_out, history excluded, full ranking, ml-latest-small"
    )
    print()
    print(tables.scores(answers, caption).render(config.format))
    print()
    print(tables.differences(answers).render(config.format))
    if config.keep:
        from benchmarks.peers.kept import keep

        keep(answers)
    if failed:
        raise InputError(
            f"{len(failed)} cells failed: {', '.join(failed)}. The same "
            "command tries them again."
        )


if __name__ == "__main__":
    cli.run(main, PeersConfig)
