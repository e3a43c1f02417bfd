"""A soak at the smallest size, and that it notices what is wrong."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.server_process import Usage, usage
from benchmarks.soak.__main__ import SoakConfig
from benchmarks.soak.clients import Addresses
from benchmarks.soak.curve import Look, growth
from benchmarks.soak.releases import BROKEN
from benchmarks.soak.soaking import Soak
from benchmarks.soak.truth import Answer, Truth
from tests.serving.exports import ITEMS, write_version
from tfrec.serving.checksums import write_checksums
from tfrec.serving.config import ServerConfig
from tfrec.serving.server import Server


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Two versions, of which each recommends other items."""
    folder = tmp_path_factory.mktemp("store") / "toy"
    versions = {name: write_version(folder, int(name)) for name in ("1", "2")}
    for version in versions.values():
        write_checksums(version)
    return versions


@pytest.fixture
def idle():
    """The number of a process that does nothing: what it holds is constant."""
    command = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(command, stdin=-1, stdout=-1) as process:
        process.stdout.readline()
        yield process.pid
        process.kill()


def test_a_soak_holds_and_says_so(store, idle, tmp_path, capsys):
    config = SoakConfig(
        requests=300, clients=4, slow_clients=2, swaps=1, broken=len(BROKEN)
    )
    soak = Soak(config, tmp_path / "toy", store, ITEMS)
    server = Server(
        ServerConfig(
            export_dir=tmp_path, grpc_port=0, rest_port=0, poll_seconds=0.02
        )
    )
    try:
        addresses = (server.grpc_port, server.rest_port)
        soak.run(Addresses(*(f"127.0.0.1:{n}" for n in addresses)), idle)
        # 1 was first, 2 half of a copy that became whole, 4 the swap.
        assert server.models.available() == {"toy": [4]}
    finally:
        server.stop()
    assert soak.verdict(), capsys.readouterr().out
    shown = capsys.readouterr().out
    assert "300 requests, seed 0: 0 did not hold." in shown
    for kind in ("gRPC", "REST", "hot swap", *BROKEN):
        assert f"\n{kind}  " in shown
    soak.read_log(["Loaded version 1.\n", "Traceback (most recent\n"])
    assert not soak.verdict()
    assert "FAILED log: Traceback" in capsys.readouterr().out


def answer(items, scores, version=None):
    return Answer(items.split(), np.array(scores), version)


@pytest.fixture
def truth():
    """Versions 1 (until 5) and 2 (from 4)."""
    known = answer("a b c", [-1, -2, -3]), answer("d b a", [-1, -2, -2])
    truth = Truth({"one": known[:1], "two": known[1:]})
    truth.publish(1, "one", 0)
    truth.publish(2, "two", 4)
    truth.retire(1, 5)
    return truth


@pytest.mark.parametrize(
    ("found", "begin", "end", "named"),
    [
        (answer("a b c", [-1, -2, -3]), 1, 2, ""),
        (answer("d b a", [-1, -2, -2]), 1, 2, "as no version of [1]"),
        # Either, while one takes over from the other.
        (answer("a b c", [-1, -2, -3]), 4.5, 6, ""),
        (answer("d b a", [-1, -2, -2.00001]), 4.5, 6, ""),
        (answer("a b c", [-1, -2, -3]), 6, 7, "as no version of [2]"),
        # Those that are equal may change places, others may not.
        (answer("d a b", [-1, -2, -2]), 6, 7, ""),
        (answer("b d a", [-1, -2, -2]), 6, 7, "question 0"),
        (answer("d b a", [-1, -2, -2.1]), 6, 7, "question 0"),
        (answer("d b", [-1, -2]), 6, 7, "question 0"),
        # gRPC says which version it was.
        (answer("d b a", [-1, -2, -2], 2), 4.5, 6, ""),
        (answer("d b a", [-1, -2, -2], 1), 4.5, 6, "question 0"),
        (answer("d b a", [-1, -2, -2], 3), 4.5, 6, "version 3 answered"),
    ],
)
def test_an_answer_is_that_of_a_version_that_may_serve(
    truth, found, begin, end, named
):
    complaint = truth.complaint(0, found, begin, end)
    assert named in complaint
    assert bool(named) == bool(complaint)


def test_growth_is_of_the_least_memory_and_the_most_threads():
    looks = [
        Look(tenth, Usage(10**6 * (tenth + spike), 5, 9))
        for tenth in range(11)
        for spike in (90, 0)
    ]
    assert growth(looks) == {"MB": 6, "threads": 0, "files": 0}
    more = dataclasses.replace(looks[-1], usage=Usage(1, 8, 7))
    assert growth([*looks, more])["threads"] == 3
    assert growth(looks[-1:]) == {}


def test_what_a_process_holds_is_counted(idle):
    found = usage(idle)
    assert found.resident > 10**6
    assert found.threads == 1
    assert found.descriptors >= 3
