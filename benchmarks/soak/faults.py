"""What clients do wrong, and what the server must say to it."""

import contextlib
import http.client
import json
import random
import re
import socket
import struct
from collections.abc import Callable
from typing import NamedTuple

import grpc
from grpc import StatusCode
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from benchmarks.soak.truth import Question

_PATIENCE = 60
_OVERSIZED = 5 * 2**20
# An absent version, and one that stands in no folder of a soak.
_ABSENT = 10**9
# Lets a socket be reset instead of closed.
_RESET = struct.pack("ii", 1, 0)


class Place(NamedTuple):
    """Where to send what.

    Attributes:
        rest_address: host:port for REST.
        method: Predict, as gRPC calls it with bytes.
        model: The name of the model.
    """

    rest_address: str
    method: grpc.UnaryUnaryMultiCallable
    model: str

    def connect(self) -> socket.socket:
        """Opens a connection for REST."""
        host, _, port = self.rest_address.rpartition(":")
        return socket.create_connection((host, int(port)), _PATIENCE)

    def head(self, length: int) -> bytes:
        """Returns the head of a request for a prediction."""
        return (
            f"POST /v1/models/{self.model}:predict HTTP/1.1\r\n"
            f"Host: localhost\r\nContent-Length: {length}\r\n\r\n"
        ).encode()


class Fault(NamedTuple):
    """A fault.

    Attributes:
        name: As it is reported.
        commit: Returns what did not hold; "" if all did.
        weight: How often it is drawn, beside the others.
    """

    name: str
    commit: Callable[[Place, Question, random.Random], str]
    weight: float = 1.0


def _rest(path: str, body: object, status: int):
    """Makes a fault that is answered with a status and a message."""

    def commit(place: Place, question: Question, rng: random.Random) -> str:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection(
            place.rest_address, timeout=_PATIENCE
        )
        with contextlib.closing(connection):
            url = f"/v1/models/{path.format(model=place.model)}:predict"
            connection.request("POST", url, content)
            response = connection.getresponse()
            received = response.read()
        if response.status != status or not json.loads(received).get("error"):
            return f"{status} expected. Received: {response.status} {received}"
        return ""

    return commit


def _not_http(place: Place, question: Question, rng: random.Random) -> str:
    with place.connect() as connection:
        connection.sendall(rng.randbytes(40) + b" x y z\r\n\r\n")
        received = connection.makefile("rb").read()
    # In the version of HTTP that it takes what came for.
    if received and not re.match(rb"HTTP/1\.[01] 400 ", received):
        return f"400 expected. Received: {received[:200]}"
    return ""


def _reset(place: Place, question: Question, rng: random.Random) -> str:
    """Hangs up anywhere in a request, or before its answer."""
    sent = place.head(len(question.rest)) + question.rest
    with place.connect() as connection:
        connection.sendall(sent[: rng.choice((rng.randrange(len(sent)), None))])
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    return ""


def _grpc(change: Callable[[PredictRequest], object], code: StatusCode):
    """Makes a fault that is answered with a code."""

    def commit(place: Place, question: Question, rng: random.Random) -> str:
        request = PredictRequest.FromString(question.grpc)
        change(request)
        call = place.method.future(request.SerializeToString(), _PATIENCE)
        return _complaint(call, code)

    return commit


def _complaint(call: grpc.Future, *codes: StatusCode) -> str:
    error = call.exception()
    found = error.code() if error else StatusCode.OK
    if found in codes:
        return ""
    return f"{codes} expected. Received: {found} {error and error.details()}"


def _no_message(place: Place, question: Question, rng: random.Random) -> str:
    # Begins a field that is longer than the message.
    call = place.method.future(b"\x0a\x7f" + rng.randbytes(20), _PATIENCE)
    return _complaint(call, StatusCode.INVALID_ARGUMENT)


def _oversized(place: Place, question: Question, rng: random.Random) -> str:
    call = place.method.future(bytes(_OVERSIZED), _PATIENCE)
    return _complaint(call, StatusCode.RESOURCE_EXHAUSTED)


def _short(place: Place, question: Question, rng: random.Random) -> str:
    call = place.method.future(question.grpc, rng.uniform(0, 0.003))
    return _complaint(call, StatusCode.DEADLINE_EXCEEDED, StatusCode.OK)


def _cancel(place: Place, question: Question, rng: random.Random) -> str:
    call = place.method.future(question.grpc, _PATIENCE)
    call.cancel()
    return ""


def _other_type(request: PredictRequest) -> None:
    del request.inputs["history"].string_val[:]
    request.inputs["history"].dtype = 1  # float32
    request.inputs["history"].tensor_content = b"12"


_ROW = {"instances": [["a"]]}
FAULTS = (
    Fault("malformed JSON", _rest("{model}", b'{"instances": [["a"', 400)),
    Fault("numbers for ids", _rest("{model}", {"instances": [[1, 2]]}, 400)),
    Fault(
        "no signature", _rest("{model}", _ROW | {"signature_name": "x"}, 400)
    ),
    Fault("absent version", _rest(f"{{model}}/versions/{_ABSENT}", _ROW, 404)),
    Fault("absent model", _rest("x{model}", _ROW, 404)),
    Fault("too many rows", _rest("{model}", {"instances": [["a"]] * 129}, 400)),
    Fault(
        "too long a row",
        _rest("{model}", {"instances": [["a"] * 10_001]}, 400),
        0.2,
    ),
    Fault("oversized body", _rest("{model}", b" " * _OVERSIZED, 413), 0.1),
    Fault("no HTTP", _not_http),
    Fault("reset connection", _reset, 3.0),
    Fault("no message", _no_message),
    Fault("oversized message", _oversized, 0.1),
    Fault(
        "absent version, gRPC",
        _grpc(
            lambda request: setattr(
                request.model_spec.version, "value", _ABSENT
            ),
            StatusCode.NOT_FOUND,
        ),
    ),
    Fault(
        "no signature, gRPC",
        _grpc(
            lambda request: setattr(request.model_spec, "signature_name", "x"),
            StatusCode.FAILED_PRECONDITION,
        ),
    ),
    Fault("other type", _grpc(_other_type, StatusCode.INVALID_ARGUMENT)),
    Fault("short deadline", _short, 2.0),
    Fault("cancelled call", _cancel, 2.0),
)


def draw_fault(rng: random.Random) -> Fault:
    """Draws one by the weights."""
    return rng.choices(FAULTS, [fault.weight for fault in FAULTS])[0]
