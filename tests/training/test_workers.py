"""Two processes that train one model, as two machines would."""

import contextlib
import csv
import json
import os
import re
import signal
import socket
import time
from pathlib import Path

import numpy as np
import pytest

from tests.commands import Command
from tests.training.fits import (
    assert_alike,
    contrastive,
    fit,
    sampled,
    sequences,
    silence,
)
from tfrec.errors import InputError
from tfrec.training.checkpoints import newest_checkpoint, read_progress
from tfrec.training.strategy import make_strategy
from tfrec.training.workers import Workers

# Five steps in an epoch.
_FLAGS = """
--model=gru4rec
--dataset=synthetic
--synthetic_users=40
--synthetic_items=120
--synthetic_length=12
--epochs=2
--batch_size=8
--checkpoint_minutes=0
--embedding_dim=8
"""


@contextlib.contextmanager
def workers(module, *arguments):
    """Starts two workers; those that are left are killed at the end."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
        for each in sockets:
            each.bind(("localhost", 0))
        ports = [each.getsockname()[1] for each in sockets]
    cluster = {"worker": [f"localhost:{port}" for port in ports]}
    started = []
    for index in range(2):
        task = {"type": "worker", "index": index}
        config = json.dumps({"cluster": cluster, "task": task})
        started.append(Command(module, *arguments, TF_CONFIG=config))
    try:
        yield started
    finally:
        for command in started:
            command.kill()


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """The folder of a job that ran, and what its two workers heard."""
    folder = tmp_path_factory.mktemp("job")
    with workers("tests.training.job", str(folder)) as started:
        results = [command.result() for command in started]
        # Where one fails, the reason is often with the other.
        assert [result.returncode for result in results] == [0, 0], "\n".join(
            result.stdout + result.stderr for result in results
        )
    heard = [
        json.loads((folder / f"worker{index}" / "heard.json").read_text())
        for index in range(2)
    ]
    return folder, heard, [result.stdout for result in results]


def assert_equal_on_both(folder, name, one):
    """Compares what the workers saved with each other and with one device."""
    first, second = (
        dict(np.load(folder / f"worker{index}" / f"{name}.npz"))
        for index in range(2)
    )
    assert_alike(one, first)
    for key, value in first.items():
        np.testing.assert_array_equal(value, second[key], key)


def test_two_workers_make_the_same_update_as_one(job, tmp_path, monkeypatch):
    silence(monkeypatch)
    one = fit(sequences(tmp_path), "none", sampled)
    assert_equal_on_both(job[0], "sampled", one)


def test_workers_that_read_alone_make_the_update_of_all_they_read(
    job, tmp_path, monkeypatch
):
    silence(monkeypatch)
    one = fit(sequences(tmp_path), "none", contrastive, divided=True)
    assert_equal_on_both(job[0], "divided", one)


def test_workers_hear_each_other(job):
    for index, heard in enumerate(job[1]):
        assert heard["chief"] == (index == 0)
        assert heard["any"] == [False, True, True]
        assert heard["gather"] == ["", "né"]


def test_an_error_of_one_worker_is_one_of_all(job):
    first, second = job[1]
    assert first["agreed"]
    assert first["error of 0"] == "0 fails"
    assert second["error of 0"] == "Worker 0: 0 fails"
    assert first["error of 1"] == "Worker 1: 1 fails"
    assert second["error of 1"] == "1 fails"


def test_workers_get_a_copy_of_the_chiefs_files(job):
    first, second = job[1]
    assert second["copied"] == {
        "a/b/c": list(range(256)),
        "a/empty": [],
        "d": [ord("d")],
    }
    assert first["copied"] == {**second["copied"], "not asked for": []}
    assert first["own folder"]
    assert not first["deleted"]
    assert not second["own folder"]
    assert second["deleted"]


def test_workers_that_differ_refuse_to_start(job):
    for heard in job[1]:
        settings, data, versions = heard["refused"]
        assert (
            "--seed is 0 on worker 0 and 1 on worker 1; --max_length is 10 "
            "on worker 0 and 9 on worker 1." in settings
        )
        checksum = "[0-9a-f]{64}"
        both = f"is {checksum} on worker 0 and {checksum} on worker 1"
        assert re.search(
            rf": the vocabulary \(checksum\) {both}; "
            rf"the data \(checksum\) {both}\.$",
            data,
        )
        assert versions.endswith(
            ": the version of tensorflow-probability is 0.0 on worker 0 and "
            "0.1 on worker 1; the version of numpy is 2.0 on worker 0 and 2.1 "
            "on worker 1."
        )


def test_the_chief_alone_writes_and_reports(job):
    folder, (first, second), outputs = job
    assert {path.name for path in (folder / "whole").iterdir()} == {
        ".lock",
        "checkpoints",
        "config.json",
        "epochs.csv",
        "metrics.json",
        "ranks.npz",
        "tensorboard",
    }
    events = list((folder / "whole" / "tensorboard").glob("events*"))
    assert len(events) == 1
    assert "val_ndcg@10" in outputs[0]
    assert "val_ndcg@10" not in outputs[1]
    assert "Worker 1; worker 0 reports." in outputs[1]
    assert first["numbers"]["metrics"] == second["numbers"]["metrics"]


def test_a_signal_to_one_worker_stops_and_saves_all(job):
    folder, (first, second), outputs = job
    # Before the first step, and between two.
    stops = re.findall(r"Stopped after (\d+) epochs, (\d+) steps", outputs[0])
    assert stops == [("0", "1"), ("0", "3")]
    assert outputs[0].count("Resuming") == 2
    assert first["resumed"]["metrics"] == first["numbers"]["metrics"]
    assert second["resumed"]["metrics"] == first["numbers"]["metrics"]
    # A mean over the epoch, added up in two parts.
    np.testing.assert_allclose(
        losses(folder / "torn"), losses(folder / "whole"), rtol=1e-6
    )
    # What is finished is not trained again, and all know it.
    assert first["again"] == first["resumed"]
    assert second["again"] == first["resumed"]


def losses(folder):
    with open(folder / "epochs.csv") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def wait_for_step(command, checkpoints, step):
    """Waits until a job has saved a step; returns what it has saved then."""
    while command.running():
        # The files may be replaced while they are read.
        with contextlib.suppress(InputError):
            newest = newest_checkpoint(checkpoints)
            if newest and read_progress(newest).step >= step:
                return read_progress(newest).step
        time.sleep(0.01)
    raise AssertionError(command.result())


@pytest.mark.long
def test_a_job_waits_for_a_worker_that_stands_still_and_ends_without(tmp_path):
    (tmp_path / "tiny.flags").write_text(_FLAGS)
    run = tmp_path / "run"
    arguments = (
        f"--flagfile={tmp_path / 'tiny.flags'}",
        f"--data_dir={tmp_path / 'data'}",
        f"--run_dir={run}",
    )
    checkpoints = run / "checkpoints"
    with workers("tfrec.train", *arguments) as (chief, other):
        step = wait_for_step(chief, checkpoints, 1)
        os.kill(other.process.pid, signal.SIGSTOP)
        # Longer than TensorFlow waits if it is not told to.
        time.sleep(15)
        os.kill(other.process.pid, signal.SIGCONT)
        # The step that the other was in may have been saved before.
        wait_for_step(chief, checkpoints, step + 2)
        other.kill()
        result = chief.result()
        assert result.returncode == 1, result.stderr
        assert (
            "workers failed or was lost. Start all of them again"
            in result.stderr
        )
    step = read_progress(newest_checkpoint(checkpoints)).step
    assert 3 <= step < 10

    with workers("tfrec.train", *arguments) as started:
        results = [command.result() for command in started]
    assert [result.returncode for result in results] == [0, 0], results
    assert (
        f"Resuming {run} after {step // 5} epochs, {step} steps"
        in results[0].stdout
    )
    numbers = json.loads(Path(run, "metrics.json").read_text())
    assert (numbers["epochs"], numbers["steps"]) == (2, 10)


def test_one_worker_agrees_with_itself(tmp_path):
    alone = Workers(make_strategy("none"))
    assert alone.chief
    assert alone.any(True, False) == [True, False]
    assert alone.gather("text") == ["text"]
    alone.refuse_differences({"--seed": 0})
    with alone.copied(tmp_path / "run", ["checkpoints"]) as folder:
        assert folder == tmp_path / "run"
    with pytest.raises(InputError, match=r"^wrong$"), alone.agreeing():
        raise InputError("wrong")
