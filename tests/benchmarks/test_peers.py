"""The comparison with RecBole: its files, its ranks, its tables, its refusals.

RecBole is not installed where tests run; what is tested is all but itself.
"""

import dataclasses
import json
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers import recbole_side
from benchmarks.peers.__main__ import PeersConfig, cells
from benchmarks.peers.cells import (
    Cell,
    Log,
    asked,
    epoch_seconds,
    peer_task,
    ranks_of,
    read,
    run,
    tfrec_command,
    why_no_peer,
)
from benchmarks.peers.data import read_sequences, write_atomic
from benchmarks.peers.models import PAIRS, flags
from benchmarks.peers.table import (
    check_metrics,
    check_pop,
    differences,
    scores,
    values,
)
from tests.prepared import last_two_out, prepare_sequences
from tfrec.errors import InputError
from tfrec.metrics import target_ranks
from tfrec.models import get_entry
from tfrec.training.config import TrainingConfig

ROWS = [[3, 1, 2, 5], [2, 4, 1, 3, 5], [5, 4, 3, 2]]
LOG = Log("/data", "/raw", "/out/log/log.inter", "abc", 5, 100.0)


def test_recbole_gets_the_sequences_that_tfrec_tests_on(tmp_path):
    data = prepare_sequences(
        tmp_path / "data", **last_two_out(ROWS), protocol="leave_one_out"
    )
    sequences = read_sequences(data)
    assert sorted(sequences) == sorted(ROWS)
    path = write_atomic(tmp_path, sequences)
    lines = path.read_text().splitlines()
    assert lines[0] == "user_id:token\titem_id:token\ttimestamp:float"
    first = [f"1\t{item}\t{at}" for at, item in enumerate(sequences[0])]
    assert lines[1 : 1 + len(first)] == first
    written = recbole_side.read_sequences(path)
    assert written == dict(enumerate(sequences, 1))


def test_sequences_of_another_split_are_refused(tmp_path):
    parts = last_two_out(ROWS)
    # A validation that holds out more than the item before the last.
    parts["validation"][1] = ([2, 4], [1])
    data = prepare_sequences(
        tmp_path / "data", **parts, protocol="leave_one_out"
    )
    with pytest.raises(InputError, match="leave_one_out"):
        read_sequences(data)


def test_ranks_of_recbole_are_those_of_tfrec():
    draw = np.random.default_rng(0)
    # Many ties. In RecBole 0 is padding, and items are numbered otherwise.
    table = draw.integers(0, 4, [len(ROWS), 5]).astype(np.float32)
    item_ids = [4, 2, 5, 1, 3]
    theirs = np.full([len(ROWS), 6], -np.inf, np.float32)
    theirs[:, item_ids] = table
    users = {7: 1, 9: 2, 8: 3}
    protocol = recbole_side.Protocol(dict(enumerate(ROWS, 1)), item_ids, users)
    protocol.places = {}
    targets = [item_ids[row[-1] - 1] for row in ROWS]
    protocol.apply([7, 9, 8], theirs, targets)
    places = [protocol.places[user] for user in (1, 2, 3)]
    width = max(map(len, ROWS)) - 1
    histories = [row[:-1] + [0] * (width + 1 - len(row)) for row in ROWS]
    expected = target_ranks(table, [[row[-1]] for row in ROWS], histories)
    assert (
        ranks_of(*zip(*places, strict=True)) == expected[:, 0].numpy().tolist()
    )
    # What comes after the target is no history.
    assert protocol.before(2, 1) == [item_ids[1], item_ids[3]]


def test_the_flags_of_every_model_are_flags_of_tfrec():
    training = {f.name for f in dataclasses.fields(TrainingConfig)}
    for model in PAIRS:
        found = flags(model, epochs=20, patience=3, mean_length=100.0)
        found["cutoffs"] = (10,)
        own = {k: v for k, v in found.items() if k not in training}
        config = TrainingConfig(**{k: found[k] for k in found.keys() - own})
        config.refuse_unused(found.keys() - own)
        get_entry(model).config_class(**own).refuse_unused(own)
    assert flags("sasrec", 20, 3, 100.0)["batch_size"] == 20
    assert flags("bert4rec", 20, 3, 100.0)["patience"] == 15


def test_switches_are_given_as_absl_reads_them():
    command = tfrec_command(
        {"item_bias": False, "loss": "bpr"}, LOG, Path("/runs/a"), 3
    )
    assert command[-2:] == ["--noitem_bias", "--loss=bpr"]
    assert "--seed=3" in command


def test_popularity_is_run_first():
    config = PeersConfig(raw_dir="x", only=("narm", "pop"), seeds=(0, 1))
    assert [cell.name for cell in cells(config)] == [
        "pop-tfrec-0",
        "pop-recbole-0",
        "narm-tfrec-0",
        "narm-recbole-0",
        "narm-tfrec-1",
        "narm-recbole-1",
    ]


def test_why_there_is_no_recbole_is_said():
    for python, reason in (
        ("", "no --peer_python"),
        ("/nowhere/python", "No such file"),
        (sys.executable, "No module named"),
    ):
        text = why_no_peer(python)
        assert reason in text
        assert "pip install -r benchmarks/peers/requirements.txt" in text


def fake_python(folder, line):
    """Writes what stands in for an interpreter; $5 is the answer's file."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
    return str(path)


def test_a_cell_of_recbole_is_told_its_task_and_keeps_ranks(tmp_path):
    cell = Cell("recbole", "sasrec", 4)
    wanted = asked(cell, LOG, epochs=9, patience=2)
    answer = json.dumps({"above": [0, 3], "equal": [1, 3]})
    python = fake_python(tmp_path, f"cat $4; echo '{answer}' > $5")
    found = run(cell, LOG, wanted, tmp_path, python)
    assert found["ranks"] == [1, 5]
    assert found["peak_bytes"] > 0 and found["cpu_seconds"] >= 0
    printed = (tmp_path / "logs" / "sasrec-recbole-4.log").read_text()
    task = json.loads(printed)
    state = tmp_path / "runs" / "sasrec-recbole-4"
    assert task == peer_task(wanted["settings"], LOG, cell, state)
    told = recbole_side.configure(task)
    assert told["seed"] == 4 and told["epochs"] == 9
    # It stops after one epoch more than it is told.
    assert told["stopping_step"] == 1
    assert told["MAX_ITEM_LIST_LENGTH"] == 20


def test_of_a_cell_that_went_on_no_cost_is_known(tmp_path):
    cell = Cell("recbole", "narm", 0)
    (tmp_path / "runs" / cell.name).mkdir(parents=True)
    answer = json.dumps({"above": [0], "equal": [1]})
    python = fake_python(tmp_path, f"echo '{answer}' > $5")
    found = run(cell, LOG, asked(cell, LOG, 9, 2), tmp_path, python)
    assert found["ranks"] == [1]
    assert found["peak_bytes"] is found["cpu_seconds"] is None


def test_whoever_is_interrupted_waits_for_what_it_started(
    tmp_path, monkeypatch
):
    cell = Cell("recbole", "narm", 0)
    started, stopped = tmp_path / "started", tmp_path / "stopped"
    trap = f"trap 'sleep 1; touch {stopped}; exit 1' TERM; touch {started}"
    python = fake_python(tmp_path, f"{trap}; while :; do sleep .1; done")

    def interrupted(*_):
        while not started.exists():
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr("benchmarks.peers.cells.os.wait4", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(cell, LOG, asked(cell, LOG, 9, 2), tmp_path, python)
    assert stopped.exists()


def test_a_cell_that_failed_names_its_log(tmp_path):
    cell = Cell("recbole", "narm", 0)
    python = fake_python(tmp_path, "echo no memory; exit 3")
    with pytest.raises(InputError, match=r"narm-recbole-0\.log"):
        run(cell, LOG, asked(cell, LOG, 9, 2), tmp_path, python)


def test_a_finished_cell_is_of_the_same_settings(tmp_path):
    cell = Cell("recbole", "narm", 0)
    wanted = asked(cell, LOG, 9, 2)
    path = tmp_path / "cell.json"
    assert read(path, wanted) is None
    path.write_text(json.dumps({"asked": wanted, "ranks": [1]}))
    assert read(path, wanted)["ranks"] == [1]
    with pytest.raises(InputError, match="other settings: settings was"):
        read(path, asked(cell, LOG, 10, 2))


def test_seconds_of_epochs_come_from_the_steps():
    rows = [
        {"step": "30", "steps_per_second": "10.0"},
        {"step": "60", "steps_per_second": "15.0"},
    ]
    assert epoch_seconds(rows) == [3.0, 2.0]
    assert epoch_seconds([{"step": "1", "steps_per_second": ""}]) == []


def measured(ranks, **more):
    """Returns the answer of a cell with these ranks."""
    own = {name: each.mean() for name, each in values(ranks).items()}
    return {
        "ranks": ranks,
        "own_metrics": own,
        "best_epoch": 3,
        "epochs": 5,
        "epoch_seconds": [9.0, 2.0, 1.0],
        "peak_bytes": 2_500_000_000,
        "cpu_seconds": 30.0,
        **more,
    }


def test_popularity_agrees_up_to_ties():
    ours, theirs = measured([3, 5]), {"above": [1, 4], "equal": [2, 1]}
    assert "all 2 ranks agree" in check_pop(ours, theirs)
    with pytest.raises(InputError, match=r"1 of 2 targets .* user 1"):
        check_pop(measured([4, 5]), theirs)


def test_metrics_that_are_not_those_of_the_ranks_are_refused():
    answer = measured([1, 30, 4])
    cell = Cell("recbole", "narm", 0)
    assert check_metrics(cell, answer) == pytest.approx(0.0, abs=1e-6)
    answer["own_metrics"]["ndcg@10"] += 2e-4
    with pytest.raises(InputError, match="do not measure the same"):
        check_metrics(cell, answer)
    assert check_metrics(Cell("recbole", "pop", 0), answer) > 1e-4


def test_tables_show_scores_costs_and_paired_differences():
    answers = {
        Cell("tfrec", "narm", 0): measured([1, 1, 50, 50]),
        Cell("recbole", "narm", 0): measured([1, 50, 50, 50]),
        # Without a partner: in the scores alone.
        Cell("tfrec", "narm", 1): measured([50, 50, 50, 50]),
        Cell("tfrec", "caser", 0): measured(
            [1, 1, 1, 1], epoch_seconds=[], cpu_seconds=None, peak_bytes=None
        ),
    }
    table = scores(answers, "protocol")
    rows = {(row[0], row[1]): row for row in table.rows}
    assert rows["narm", "tfrec"][2:4] == ["0, 1", ".2500 ± .3536"]
    assert rows["narm", "recbole"][-4:] == ["3 of 5", "2.0", "6.0", "2.50"]
    assert rows["caser", "tfrec"][-3:] == ["", "", ""]
    (row,) = differences(answers).rows
    assert row[:2] == ["narm", "0"]
    assert row[2] == "+.2500 (+.0000 to +.7500)"
    assert not differences({}).rows
