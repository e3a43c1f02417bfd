"""What the tests of serving share: a server, ours or a named one; an export."""

import contextlib
import dataclasses
import http.client
import json
import os
import subprocess
from pathlib import Path

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from benchmarks.server_process import server_process
from tests.serving.exports import write_models
from tests.serving.runs import make_run, prepared
from tfrec.serving.exporting import export

_PREDICT = "/tensorflow.serving.PredictionService/Predict"


@dataclasses.dataclass
class RunningServer:
    """A server and its clients.

    Attributes:
        grpc_address: host:port for gRPC.
        rest_address: host:port for REST.
        folder: The folder of its models; None if that is not here.
        process: The server; None if it is not ours.
        log: What it wrote to its standard error.
    """

    grpc_address: str
    rest_address: str
    folder: Path | None
    process: subprocess.Popen | None
    log: list[str] = dataclasses.field(default_factory=list)

    def __post_init__(self):
        self.channel = grpc.insecure_channel(self.grpc_address)
        self.stub = prediction_service_pb2_grpc.PredictionServiceStub(
            self.channel
        )
        self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)
        self.predict_bytes = self.channel.unary_unary(_PREDICT)

    def predict(self, inputs=None, timeout=30, **spec):
        """Calls Predict and returns its outputs as lists."""
        response = self.stub.Predict(request(inputs, **spec), timeout)
        return {
            name: tf.make_ndarray(proto).tolist()
            for name, proto in response.outputs.items()
        }

    def status(self, name):
        """Returns the states of a model's versions."""
        asked = get_model_status_pb2.GetModelStatusRequest()
        asked.model_spec.name = name
        return {
            version.version: version.state
            for version in self.models.GetModelStatus(
                asked, 10
            ).model_version_status
        }

    def rest(self, method, path, body=None, headers=()):
        """Makes an HTTP request; returns the status and the parsed answer."""
        connection = http.client.HTTPConnection(self.rest_address, timeout=30)
        with contextlib.closing(connection):
            if not isinstance(body, bytes | str | None):
                body = json.dumps(body)
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            content = response.read()
        if response.headers["Content-Type"] == "application/json":
            content = json.loads(content)
        return response.status, content


def request(inputs=None, name="toy", output_filter=(), **spec):
    """Returns a PredictRequest; of a history of one item by default."""
    if inputs is None:
        inputs = {"history": [["item 3"]]}
    message = predict_pb2.PredictRequest(output_filter=output_filter)
    message.model_spec.name = name
    if "version" in spec:
        message.model_spec.version.value = spec.pop("version")
    for key, value in spec.items():
        setattr(message.model_spec, key, value)
    for key, value in inputs.items():
        message.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return message


@contextlib.contextmanager
def started(folder, *flags):
    """Starts our server on free ports; stops it at the end."""
    with server_process(folder, *flags) as started:
        server = RunningServer(
            started.grpc_address,
            started.rest_address,
            folder,
            started.process,
            started.log,
        )
        with server.channel:
            yield server


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The server under test: TFREC_TF_SERVING=host:port, or ours."""
    named = os.environ.get("TFREC_TF_SERVING")
    if named:
        host, _, port = named.rpartition(":")
        folder = os.environ.get("TFREC_TF_SERVING_MODELS")
        rest = f"{host}:{int(port) + 1}"
        yield RunningServer(named, rest, folder and Path(folder), None)
        return
    folder = tmp_path_factory.mktemp("models")
    config = write_models(folder)
    with started(
        folder, f"--model_config_file={config}", "--request_timeout=2"
    ) as server:
        yield server
        # A bug inside would be hidden from the client, but not from here.
        assert "Traceback" not in "".join(server.log)


@pytest.fixture
def own_server(server):
    """The server, for what only ours promises: limits, memory, timeouts."""
    if server.process is None:
        pytest.skip("a promise of tfrec.serve, not of TensorFlow Serving")
    return server


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A run of ACVAE, not to be changed, and its exported version."""
    run = make_run("acvae", prepared(tmp_path_factory.mktemp("data")))
    return run, export(run, tmp_path_factory.mktemp("exported"), k=3)
