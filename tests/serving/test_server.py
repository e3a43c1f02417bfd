"""The server in this process: its start, its timeout, its end."""

import socket

import grpc
import pytest
from grpc import StatusCode

from tests.serving.conftest import RunningServer
from tests.serving.exports import write_models
from tfrec.errors import InputError
from tfrec.serving.config import ServerConfig
from tfrec.serving.server import Server


@pytest.fixture(scope="module")
def models_config(tmp_path_factory):
    return write_models(tmp_path_factory.mktemp("models"))


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
    server = start(request_timeout=0.05)
    client = RunningServer(
        f"localhost:{server.grpc_port}",
        f"localhost:{server.rest_port}",
        None,
        None,
    )
    body = {"instances": [["a"]], "signature_name": "slow"}
    status, answer = client.rest("POST", "/v1/models/toy:predict", body)
    assert status == 504
    assert answer == {"error": "The request took longer than 0.05 seconds."}
    with client.channel, pytest.raises(grpc.RpcError) as error:
        client.predict(signature_name="slow")
    assert error.value.code() == StatusCode.DEADLINE_EXCEEDED


def test_it_listens_at_the_loopback_address_only():
    assert ServerConfig().host == "127.0.0.1"
