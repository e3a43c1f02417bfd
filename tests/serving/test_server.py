"""The server in this process: its start, its timeout, its end."""

import concurrent.futures
import socket
import threading
import time

import grpc
import pytest
from grpc import StatusCode

from tests.serving.conftest import RunningServer, request
from tests.serving.exports import write_models
from tfrec.errors import InputError
from tfrec.serving.config import ServerConfig
from tfrec.serving.listening import address
from tfrec.serving.servable import Servable
from tfrec.serving.server import Server
from tfrec.serving.statuses import RequestError


@pytest.fixture(scope="module")
def models_config(tmp_path_factory):
    return write_models(tmp_path_factory.mktemp("models"))


def client_of(server):
    """Returns a client of a server in this process."""
    grpc_address = f"localhost:{server.grpc_port}"
    rest_address = f"localhost:{server.rest_port}"
    return RunningServer(grpc_address, rest_address, None, None)


@pytest.fixture
def start(models_config):
    """Starts servers on free ports and stops them at the end."""
    servers = []

    def start(**changes):
        flags = {
            "export_dir": models_config.parent,
            "grpc_port": 0,
            "rest_port": 0,
            **changes,
        }
        servers.append(Server(ServerConfig(**flags)))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def test_without_a_configuration_the_newest_of_every_model(start):
    assert start().models.available() == {"swap": [1], "toy": [2]}


def test_base_paths_of_the_image_are_below_the_export_dir(
    start, models_config, tmp_path
):
    text = models_config.read_text()
    path = tmp_path / "models.config"
    path.write_text(text.replace(str(models_config.parent), "/models"))
    server = start(model_config_file=path)
    assert server.models.available() == {"swap": [1], "toy": [1, 2]}


@pytest.mark.parametrize("port", ["grpc_port", "rest_port"])
def test_a_taken_port_is_named(start, port, capfd):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        with pytest.raises(InputError) as error:
            start(**{port: number})
    assert f"127.0.0.1:{number}" in str(error.value)
    assert f"`--{port}`" in str(error.value)
    # gRPC itself adds nothing to it.
    lines = capfd.readouterr().err.splitlines()
    assert all(line.startswith("Loaded version") for line in lines)


def test_no_model_is_an_error_that_says_what_to_do(start, tmp_path):
    (tmp_path / "empty" / "one").mkdir(parents=True)
    with pytest.raises(InputError, match=r"tfrec\.export"):
        start(export_dir=tmp_path / "empty")
    with pytest.raises(InputError, match="must be a folder"):
        start(export_dir=tmp_path / "none")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (None, "No such file"),
        ("model_config_list { config { nam: 'a' } }", "nam"),
        ("", "at least one model"),
        ("model_config_list { config { name: 'a' } }", "base_path"),
        (
            "model_config_list { config { name: 'a' base_path: '/x' } "
            "config { name: 'a' base_path: '/y' } }",
            "must have each model once. Received: a 2 times",
        ),
    ],
)
def test_a_wrong_configuration_is_named(start, tmp_path, text, named):
    path = tmp_path / "models.config"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError) as error:
        start(model_config_file=path)
    assert str(path) in str(error.value)
    assert named in str(error.value)


def test_a_request_that_takes_too_long_is_answered_so(start):
    client = client_of(start(request_timeout=0.05))
    body = {"instances": [["a"]], "signature_name": "slow"}
    status, answer = client.rest("POST", "/v1/models/toy:predict", body)
    assert status == 504
    assert answer == {"error": "The request took longer than 0.05 seconds."}
    with client.channel, pytest.raises(grpc.RpcError) as error:
        client.predict(signature_name="slow")
    assert error.value.code() == StatusCode.DEADLINE_EXCEEDED


def test_it_listens_at_the_loopback_address_only():
    assert ServerConfig().host == "127.0.0.1"


def test_it_listens_at_an_address_of_ipv6(start):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"This machine has no IPv6: {error}.")
    server = start(host="::1")
    grpc_address = address("::1", server.grpc_port)
    rest_address = address("::1", server.rest_port)
    assert grpc_address == f"[::1]:{server.grpc_port}"
    client = RunningServer(grpc_address, rest_address, None, None)
    with client.channel:
        assert client.predict()["items"]
    assert client.rest("GET", "/v1/models/toy")[0] == 200


class Busy:
    """A server that computes nothing more until it is let.

    Attributes:
        batcher: Where other requests wait meanwhile.
        computed: The first item of every history that was asked.
    """

    def __init__(self, server, monkeypatch):
        self.batcher = server._batcher
        self.computed = []
        self._begun = threading.Semaphore(0)
        self._go = threading.Event()
        run = Servable.run

        def wait_and_run(servable, signature, inputs, outputs):
            self._begun.release()
            assert self._go.wait(30)
            self.computed += [row[0] for row in inputs["history"]]
            return run(servable, signature, inputs, outputs)

        monkeypatch.setattr(Servable, "run", wait_and_run)

    def occupy(self, ask):
        """Asks until one that is alone and both threads of batches wait."""
        calls = []
        for _ in range(3):
            calls.append(ask("busy"))
            assert self._begun.acquire(timeout=30)
        return calls

    def wait_for(self, waiting):
        """Waits until so many wait."""
        deadline = time.monotonic() + 30
        while self.batcher.waiting != waiting:
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def end(self):
        """Computes what waits."""
        self._go.set()


@pytest.fixture
def overloaded(start, monkeypatch):
    """A server that is busy, where one may wait; how to ask, and its calls."""
    server = start(max_waiting=1)
    client, busy = client_of(server), Busy(server, monkeypatch)

    def ask(item, timeout=30):
        message = request({"history": [[item]]})
        return client.stub.Predict.future(message, timeout)

    with client.channel:
        yield client, busy, ask, busy.occupy(ask)
        busy.end()


BODY = {"instances": [["c"]]}
PATH = "/v1/models/toy:predict"


def test_where_too_many_wait_one_more_is_refused(overloaded):
    client, busy, ask, calls = overloaded
    calls.append(ask("a"))
    busy.wait_for(1)
    assert ask("b").exception().code() == StatusCode.UNAVAILABLE
    status, answer = client.rest("POST", PATH, BODY)
    assert status == 503
    assert "queue to which this task was submitted is full" in answer["error"]
    busy.end()
    # Those who waited are answered.
    assert all(call.result().outputs["items"] for call in calls)
    assert sorted(busy.computed) == [b"a", b"busy", b"busy", b"busy"]


def test_what_nobody_waits_for_is_not_computed(overloaded):
    client, busy, ask, calls = overloaded
    late = ask("late", timeout=0.05)
    assert late.exception().code() == StatusCode.DEADLINE_EXCEEDED
    busy.wait_for(0)
    left = ask("left")
    busy.wait_for(1)
    left.cancel()
    busy.wait_for(0)
    # There is room for one who waits.
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.rest, "POST", PATH, BODY)
        busy.wait_for(1)
        busy.end()
        assert answer.result()[0] == 200
    assert all(call.result().outputs["items"] for call in calls)
    assert sorted(busy.computed) == [b"busy", b"busy", b"busy", b"c"]


class Call:
    """A call whose client has left, or waits no longer."""

    def __init__(self, active, remaining):
        self.is_active = lambda: active
        self.time_remaining = lambda: remaining


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (Call(active=False, remaining=9), StatusCode.CANCELLED),
        (Call(active=True, remaining=0), StatusCode.DEADLINE_EXCEEDED),
    ],
)
def test_what_comes_too_late_is_not_even_decoded(start, call, code):
    def decode(signature):
        pytest.fail("It was decoded.")

    predictor = start()._predictor
    spec = request().model_spec
    with pytest.raises(RequestError) as error:
        predictor.predict(spec, decode, "GRPC", call=call)
    assert error.value.code == code
