"""The grid: what it starts, skips, and goes on after."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from tfrec.errors import InputError
from tfrec.reproduction import grid as grid_module
from tfrec.reproduction.grid import Grid, Trial
from tfrec.reproduction.plan import Job

# Stands for `tfrec train`: notes its flags, and ends as --learning_rate says.
TRAINER = textwrap.dedent("""
    import json, pathlib, signal, sys, time
    flags = dict(f.lstrip("-").partition("=")[::2] for f in sys.argv[1:])
    folder = pathlib.Path(flags["run_dir"])
    with open(folder / "calls.txt", "a") as file:
        print(*sys.argv[1:], file=file)
    print("Training.")
    end = flags.get("learning_rate")
    if end == "0":
        sys.exit("error: it diverged")
    if end == "wait":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
        print("waiting", flush=True)
        time.sleep(60)
    if end != "nothing":
        (folder / "metrics.json").write_text("{}")
""")


@pytest.fixture
def grid(tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "a.flags").write_text("--epochs=3\n")
    (tmp_path / "train.py").write_text(TRAINER)
    return Grid(
        tmp_path / "runs",
        tmp_path / "configs",
        {"data": "/raw"},
        command=(sys.executable, str(tmp_path / "train.py")),
    )


def trial(name="d/m/ours", *changes, seed=0):
    return Trial(Job(name, "data", "a.flags", changes), seed)


def calls(grid, trial):
    return (grid.run_dir(trial) / "calls.txt").read_text().splitlines()


def test_a_run_has_its_flags_its_seed_and_its_folder(grid, tmp_path):
    one = trial("d/m/ours", "--dropout=0.1", seed=2)
    assert grid.run([one]) == []
    assert calls(grid, one) == [
        f"--flagfile={tmp_path}/configs/a.flags --dropout=0.1 --seed=2 "
        f"--raw_dir=/raw --run_dir={tmp_path}/runs/d/m/ours/seed_2 "
        "--verbose=line"
    ]
    assert "Training." in (grid.run_dir(one) / "log.txt").read_text()


def test_a_finished_run_is_not_repeated(grid, capsys):
    first, second = trial(seed=0), trial(seed=1)
    grid.run([first])
    capsys.readouterr()
    assert grid.run([first, second]) == []
    text = capsys.readouterr().out
    assert text.startswith("2 runs, 1 of them finished.\n[1/1] ")
    assert "seed 1: done in " in text
    assert len(calls(grid, first)) == len(calls(grid, second)) == 1
    assert grid.runs(first.job, (0, 1, 2)) == [
        grid.run_dir(first),
        grid.run_dir(second),
    ]


def test_a_run_whose_flagfile_has_changed_is_not_finished(grid):
    one = trial()
    grid.run([one])
    assert grid.finished(one)
    path = grid.configs / "a.flags"
    # A comment is no setting.
    path.write_text("# as before\n--epochs=3\n")
    assert grid.finished(one)
    path.write_text("--epochs=4\n")
    assert not grid.finished(one)
    assert grid.runs(one.job, (0,)) == []
    # It stays what it is: with fewer epochs `tfrec train` would take it.
    (failure,) = grid.run([one])
    assert "finished run of other flags" in str(failure)
    assert "Received: --epochs=4 for --epochs=3." in str(failure)
    assert len(calls(grid, one)) == 1
    path.write_text("--epochs=3\n")
    assert grid.finished(one)
    # The same settings in other words: training says that it is finished.
    path.write_text("--epochs=9\n--epochs=3\n")
    assert grid.run([one]) == []
    assert grid.finished(one) and len(calls(grid, one)) == 2
    path.write_text("--epochs=4\n")
    shutil.rmtree(grid.run_dir(one))
    assert grid.run([one]) == []
    assert grid.finished(one)


def test_a_run_that_fails_stops_no_other(grid, capsys):
    bad = trial("bad", "--learning_rate=0")
    good = trial("good")
    (failure,) = grid.run([bad, good])
    assert failure.trial == bad
    assert "error: it diverged" in str(failure)
    assert "bad seed 0, status 1, " in str(failure)
    assert "failed with status 1" in capsys.readouterr().out
    assert grid.finished(good)
    # It is tried again.
    assert len(grid.run([bad, good])) == 1
    assert len(calls(grid, bad)) == 2


def test_a_failure_leaves_a_finished_run_its_flags(grid):
    one = trial()
    grid.run([one])
    path = grid.configs / "a.flags"
    # The same settings in other words are given to the training again.
    path.write_text("--epochs=9\n--epochs=3\n")
    gone = dataclasses.replace(grid, command=(sys.executable, "gone.py"))
    assert len(gone.run([one])) == 1
    path.write_text("--epochs=2\n")
    (failure,) = grid.run([one])
    assert "Received: --epochs=2 for --epochs=3." in str(failure)


def test_a_run_that_leaves_no_numbers_has_failed(grid):
    (failure,) = grid.run([trial("empty", "--learning_rate=nothing")])
    assert "It left no metrics.json." in str(failure)


def test_a_damaged_record_is_as_none(grid):
    one = trial()
    grid.run([one])
    (grid.run_dir(one) / "grid.json").write_text("[")
    assert not grid.finished(one)
    grid.run([one])
    assert grid.finished(one)


def test_a_run_is_of_its_flags_where_the_grid_is_lost_at_its_end(
    grid, monkeypatch
):
    one, wait = trial(), grid_module._wait

    def wait_and_end(*arguments):
        wait(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(grid_module, "_wait", wait_and_end)
        with pytest.raises(KeyboardInterrupt):
            grid.run([one])
    assert grid.finished(one)
    (grid.configs / "a.flags").write_text("--epochs=2\n")
    (failure,) = grid.run([one])
    assert "Received: --epochs=2 for --epochs=3." in str(failure)


def test_what_all_runs_get_makes_them_others(grid, tmp_path):
    one = trial()
    grid.run([one])
    short = Grid(
        grid.folder, grid.configs, grid.raw_dirs, ("epochs=1",), grid.command
    )
    assert not short.finished(one)
    assert "--epochs=1" in short.command_of(one)


def test_a_folder_that_cannot_be_written_is_an_error(grid):
    grid.folder.write_text("a file")
    with pytest.raises(InputError, match="`--output_dir`"):
        grid.run([trial()])


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
)
def test_an_interruption_reaches_the_run_and_is_resumed(grid, tmp_path, number):
    """The grid in a process of its own, which imports no TensorFlow."""
    one = trial("slow", "--learning_rate=wait")
    program = textwrap.dedent(f"""
        import signal
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # As it is for who was not started by nohup.
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        from pathlib import Path
        from tfrec.reproduction.grid import Grid, Trial
        from tfrec.reproduction.plan import Job
        job = Job("slow", "data", "a.flags", ("--learning_rate=wait",))
        try:
            Grid(Path({str(grid.folder)!r}), Path({str(grid.configs)!r}),
                 {{}}, (), {grid.command!r}).run([Trial(job, 0)])
        except KeyboardInterrupt:
            raise SystemExit(130)
    """)
    log = grid.run_dir(one) / "log.txt"
    process = subprocess.Popen([sys.executable, "-c", program])
    try:
        for _ in range(400):
            if log.exists() and "waiting" in log.read_text():
                break
            time.sleep(0.05)
        os.kill(process.pid, number)
        # The run ends as it is asked to, long before its minute is over.
        assert process.wait(20) == 130
    finally:
        process.kill()
    assert not grid.finished(one)
    quick = Trial(Job("slow", "data", "a.flags"), 0)
    assert grid.run([quick]) == []
    record = json.loads((grid.run_dir(one) / "grid.json").read_text())
    assert record == {"flags": ["--epochs=3", "--seed=0"]}
