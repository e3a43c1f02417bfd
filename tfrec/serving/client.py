"""Asking a running server, TensorFlow Serving's or ours, over gRPC."""

from collections.abc import Sequence

import grpc
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_service_pb2_grpc import (
    PredictionServiceStub,
)

from tfrec.errors import InputError


def recommend(
    server: str,
    model: str,
    history: Sequence[str],
    user: str = "",
    timeout: float = 10.0,
) -> list[tuple[str, float]]:
    """Asks a server what comes after a history.

    Args:
        server: host:port of its gRPC port.
        model: The model's name there.
        history: Item ids, oldest first; the server skips unknown ones.
        user: Id of who asks, for a model that needs it.
        timeout: Seconds to wait for the answer.

    Returns:
        Items and their log-probabilities, best first: as many as the export
        gives.

    Raises:
        InputError: If no server answers, or it answers with an error.
    """
    (answer,) = recommend_many(server, model, [history], user, timeout)
    return answer


def check_address(server: str) -> None:
    """Raises `InputError` if an address is not host:port."""
    host, _, port = server.rpartition(":")
    if not host or not port.isdecimal():
        raise InputError(f"`--server` must be host:port. Received: {server!r}.")


def recommend_many(
    server: str,
    model: str,
    histories: Sequence[Sequence[str]],
    user: str = "",
    timeout: float = 10.0,
) -> list[list[tuple[str, float]]]:
    """Asks as `recommend` does, of several histories in one request.

    Args:
        server: See `recommend`.
        model: See `recommend`.
        histories: One at least.
        user: See `recommend`; the same for all.
        timeout: See `recommend`.

    Returns:
        A list for each history.

    Raises:
        InputError: See `recommend`.
    """
    check_address(server)
    request = PredictRequest()
    request.model_spec.name = model
    # A server with batching pads with the first value; models skip "".
    width = 1 + max(map(len, histories))
    rows = [["", *row] + [""] * (width - 1 - len(row)) for row in histories]
    request.inputs["history"].CopyFrom(tf.make_tensor_proto(rows, tf.string))
    if user:
        request.model_spec.signature_name = "for_user"
        request.inputs["user"].CopyFrom(
            tf.make_tensor_proto([user] * len(rows), tf.string)
        )
    with grpc.insecure_channel(server) as channel:
        try:
            response = PredictionServiceStub(channel).Predict(request, timeout)
        except grpc.RpcError as error:
            raise InputError(
                f"{server} answered {error.code().name}: {error.details()} "
                "Is it the gRPC port of a server (`python -m tfrec.serve`), "
                f"and does that serve {model} (`--name`)?"
            ) from error
    items = tf.make_ndarray(response.outputs["items"])
    scores = tf.make_ndarray(response.outputs["scores"])
    # "" fills the list where there are fewer items.
    return [
        [
            (item.decode(), float(score))
            for item, score in zip(*answer, strict=True)
            if item
        ]
        for answer in zip(items, scores, strict=True)
    ]
