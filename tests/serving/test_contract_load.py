"""What every server of the exports does under load; see conftest.py."""

import concurrent.futures
import itertools
import pathlib
import shutil
import signal
import threading
import time

import grpc
import pytest
from grpc import StatusCode
from tensorflow_serving.apis.get_model_status_pb2 import ModelVersionStatus

from benchmarks.server_process import usage
from tests.serving.conftest import request, started
from tests.serving.exports import ITEMS, write_version

CLIENTS = 64
# Memory may grow by this much over 14,000 requests, 180 bytes each.
MEMORY_SLACK = 2.5e6


def test_64_clients_get_their_own_answers(server):
    """Over both wires, with histories of several lengths."""

    def ask(client):
        for length in range(1, 6):
            history = ["none"] * (length - 1) + [ITEMS[client % 18]]
            expected = ITEMS[(client + 2) % 18] if client % 18 < 16 else None
            if client % 2:
                items = server.predict({"history": [history]})["items"]
                best = items[0][0].decode()
            else:
                body = {"inputs": [history] * 2}
                _, answer = server.rest("POST", "/v1/models/toy:predict", body)
                best = answer["outputs"]["items"][1][0]
            assert expected in (best, None)

    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        assert len(list(pool.map(ask, range(CLIENTS)))) == CLIENTS


def test_a_new_version_is_taken_over_without_a_failed_request(server):
    if server.folder is None:
        pytest.skip("TFREC_TF_SERVING_MODELS names no folder of its models")
    base = server.folder / "swap"
    stop = threading.Event()
    # Of each client: the versions that answered, in their order.
    answers = [[] for _ in range(8)]

    def ask(client):
        """Asks until told to stop."""
        seen = answers[client]
        while not stop.is_set():
            if client % 2:
                latent = server.predict(name="swap", signature_name="encode")
                seen.append(latent["latent"][0][0])
            else:
                body = {"instances": [["a"]], "signature_name": "encode"}
                path = "/v1/models/swap:predict"
                status, answer = server.rest("POST", path, body)
                assert status == 200, answer
                seen.append(answer["predictions"][0][0])

    def wait_for(version):
        deadline = time.monotonic() + 30
        available = ModelVersionStatus.AVAILABLE
        states = {}
        while time.monotonic() < deadline:
            states = server.status("swap")
            if [n for n in states if states[n] == available] == [version]:
                return
            time.sleep(0.05)
        pytest.fail(f"Version {version} was not taken over: {states}.")

    def wait_for_answers(version):
        """Waits until every client has had one, however slow it is."""
        deadline = time.monotonic() + 60
        while {seen[-1] if seen else None for seen in answers} != {version}:
            if time.monotonic() > deadline or any(c.done() for c in clients):
                return  # What came says what is wrong.
            time.sleep(0.05)

    wait_for(1)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(ask, client) for client in range(8)]
        try:
            wait_for_answers(1)
            write_version(base, 2)
            wait_for(2)
            wait_for_answers(2)
            write_version(base, 3)
            wait_for(3)
            wait_for_answers(3)
            # Rolled back: the newest that is there.
            shutil.rmtree(base / "3")
            wait_for(2)
            wait_for_answers(2)
        finally:
            stop.set()
    shutil.rmtree(base / "2")
    wait_for(1)
    for client, answered in zip(clients, answers, strict=True):
        client.result()  # Raises what it raised.
        seen = [version for version, _ in itertools.groupby(answered)]
        assert seen == [1.0, 2.0, 3.0, 2.0]


@pytest.mark.long
def test_memory_is_flat_over_36_000_requests(own_server):
    """Good ones and bad ones, over both wires, from 8 clients."""
    good = request({"history": [ITEMS[:5]]}).SerializeToString()
    unknown = request(signature_name="embed").SerializeToString()
    bodies = [
        ({"instances": [ITEMS[:5]]}, 200),
        ('{"instances": [["item 3"', 400),
        ({"instances": [[1, 2]]}, 400),
        ({"instances": [["a"]], "signature_name": "embed"}, 400),
    ]

    def ask(count):
        for turn in range(count // 25):
            calls = [
                own_server.predict_bytes.future(message, 10)
                for message in [*[good] * 21, *[unknown] * 2]
            ]
            for body, expected in bodies[turn % 2 :: 2]:
                path = "/v1/models/toy:predict"
                assert own_server.rest("POST", path, body)[0] == expected
            codes = {call.code() for call in calls}
            assert codes == {StatusCode.OK, StatusCode.FAILED_PRECONDITION}

    resident = []
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in range(18):
            list(pool.map(ask, [250] * 8))
            resident.append(usage(own_server.process.pid).resident)
    # It grows at first. Then it rises for about six rounds, and falls when
    # Python collects: what counts is the least of each such time.
    assert min(resident[11:]) - min(resident[4:11]) < MEMORY_SLACK


def test_keras_is_not_imported(own_server):
    # Its libraries would be mapped, optree and HDF5 among them.
    maps = pathlib.Path(f"/proc/{own_server.process.pid}/maps").read_text()
    assert "/tensorflow/" in maps
    assert "/optree/" not in maps
    assert "/h5py/" not in maps


def test_requests_in_progress_are_answered_before_the_end(own_server, tmp_path):
    write_version(tmp_path / "toy", 1)
    with started(tmp_path) as server:
        slow = request(signature_name="slow")
        server.predict()  # The connection stands.
        call = server.stub.Predict.future(slow, 60)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            body = {"instances": [["a"]], "signature_name": "slow"}
            path = "/v1/models/toy:predict"
            answer = pool.submit(server.rest, "POST", path, body)
            time.sleep(0.3)
            server.process.send_signal(signal.SIGTERM)
            assert call.result().outputs["done"].float_val
            assert answer.result()[0] == 200
        assert server.process.wait(60) == 0
        assert "Stopping" in server.process.stdout.read()
        assert "Traceback" not in "".join(server.log)
        with pytest.raises(grpc.RpcError) as error:
            server.predict(timeout=2)
        assert error.value.code() == StatusCode.UNAVAILABLE
