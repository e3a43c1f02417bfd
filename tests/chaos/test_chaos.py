"""The attacks themselves, at the smallest size."""

import os
import pathlib
import random
import signal
import sys
import time

import pytest

from tests import raw_logs
from tests.chaos import bombs, disk, kills, mutations
from tests.chaos.config import AttackConfig, Tally
from tests.chaos.input import Case, prepare_mutated, read_mutated
from tests.chaos.isolation import isolated
from tfrec.errors import InputError


def test_a_killed_preparation_ends_as_one_that_was_not(tmp_path):
    config = kills.KillsConfig(count=2, stages=("prepare",), twice=0.5)
    tally = kills.attack(config, tmp_path)
    assert tally.failures == []
    assert sum(tally.outcomes.values()) == 2


def test_a_preparation_on_a_bad_disk_ends_well_on_a_good_one(tmp_path):
    try:
        with disk.disk(tmp_path / "disk"):
            pass
    except InputError as error:
        pytest.skip(str(error))
    config = disk.DiskConfig(count=2, stages=("prepare",), read_only=0.5)
    tally = disk.attack(config, tmp_path)
    assert tally.failures == []
    assert sum(tally.outcomes.values()) == 2


def test_a_huge_line_ends_with_its_place(tmp_path):
    config = bombs.BombsConfig(bombs=("line", "gzip"), megabytes=8)
    tally = bombs.attack(config, tmp_path)
    assert tally.failures == []
    assert tally.outcomes == {("line", "told"): 1, ("gzip", "told"): 1}


def test_the_memory_of_a_command_is_not_that_of_its_parent():
    """A worker of pytest holds more than the bombs may, after many tests."""
    mine = bytearray(400 << 20)
    mine[::4096] = bytes([1]) * (len(mine) // 4096)
    status, held, errors = bombs.measured([sys.executable, "-c", "1"], 60)
    assert (status, errors) == (0, "")
    assert 1 < held < 100


def test_the_memory_of_a_command_is_the_most_that_it_held():
    code = "x = b'1' * (200 << 20); del x; raise SystemExit(3)"
    status, held, _ = bombs.measured([sys.executable, "-c", code], 60)
    assert status == 3
    assert 200 < held < 300


def test_a_command_that_computes_for_too_long_is_killed():
    command = [sys.executable, "-c", "while True: pass"]
    status, _, _ = bombs.measured(command, 0.5)
    assert status == -signal.SIGKILL


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("error: Cannot write /disk/data: full.\n", ""),
        ("warning: Other titles.\nerror: /disk/data: full.\n", ""),
        ("E0000 00:00:17.29  16 x.cc:6] y\nerror: /disk/data: full.\n", ""),
        ("error: The disk is full.\n", "names no file"),
        ("", "not one line"),
        ("error: /disk/data: full.\nand more\n", "not one line"),
        ("Traceback:\nOSError: /disk/data\n", "not one line"),
    ],
)
def test_an_error_of_a_disk_is_one_line_that_names_a_file(text, named):
    complaint = disk.complaint(text, pathlib.Path("/disk"))
    assert named in complaint
    assert bool(named) == bool(complaint)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    place = tmp_path_factory.mktemp("raw") / "sessions"
    given = raw_logs.write_sessions(place)
    files = {path.name: path.read_bytes() for path in place.iterdir()}
    return {"sessions": (given | {"raw_dir": ""}, files)}


def test_a_mutated_file_is_prepared_or_told(raw, tmp_path):
    said = {
        prepare_mutated(Case("sessions", seed, tmp_path / "work", raw))
        for seed in ("0.file.1", "0.file.2", "0.file.19")
    }
    assert said <= {"prepared", "told"}


def test_mutated_flags_are_read_or_told(raw, tmp_path):
    """In processes of their own, as absl keeps its flags."""
    cases = [Case("serve", str(n), tmp_path / "work", raw) for n in range(6)]
    outcomes = list(isolated(read_mutated, cases, 30, 500, batch=1))
    assert [each.failure for each in outcomes] == [""] * 6
    assert {each.said for each in outcomes} <= {"done", "told"}


def _answer(case):
    if case == "slow":
        time.sleep(60)
    if case == "dead":
        os._exit(3)
    if case == "large":  # More than what was freed before the fork.
        assert len(b"a" * (4 * 10**8)) == 4 * 10**8
    return case.upper()


def test_what_hangs_dies_or_grows_is_found():
    # What comes after a failure has a process of its own, and time.
    cases = ["a", "slow", "dead", "large", "b"]
    outcomes = list(isolated(_answer, cases, 0.2, 90, batch=9))
    assert [each.case for each in outcomes] == cases
    assert [each.said for each in outcomes] == ["A", "", "", "", "B"]
    failures = [each.failure for each in outcomes if each.failure]
    assert failures[0].startswith("takes more than")
    assert failures[1] == "the process died: 3"
    assert failures[2].startswith("took")


def test_the_same_seed_draws_the_same():
    content = b"u1,i2,3\n" * 9
    drawn = [
        mutations.mutate_file(random.Random(seed), "x.csv", content)
        for seed in (*range(30), *range(30))
    ]
    assert drawn[:30] == drawn[30:]
    assert sum(each != content for each in drawn) > 40


def test_what_did_not_hold_is_counted_and_told(capsys):
    tally = Tally(AttackConfig(count=2))
    for number in tally.numbers():
        if number:
            tally.failed("kind", "why")
        else:
            tally.held("kind", "told")
    assert tally.report() == 1
    shown = capsys.readouterr().out
    assert "FAILED kind: why" in shown
    assert "2 attacks in 0.0 minutes, seed 0: 1 did not hold." in shown
