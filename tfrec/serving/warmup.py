"""Requests that a server replays before it serves a version."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog, PredictLog

# Rows and columns of the requests. The first one of each signature has the
# server prepare its graph, the larger one lets it reserve memory.
_SHAPES = ((1, 10), (8, 200))
_CANDIDATES = 3


def example_inputs(
    signature: str,
    histories: Sequence[Sequence[str]],
    items: Sequence[str],
    rng: np.random.Generator,
    users: Sequence[str] = (),
) -> dict[str, np.ndarray]:
    """Returns inputs of a signature for given histories.

    Args:
        signature: Its name.
        histories: Item ids; rows may differ in length.
        items: The vocabulary, from which candidates are drawn.
        rng: Draws candidates, users and seeds.
        users: The users of a model that needs them.
    """
    rows, length = len(histories), max(map(len, histories), default=0)
    padded = [[*row, *[""] * (length - len(row))] for row in histories]
    inputs = {"history": np.array(padded, object).reshape(rows, length)}

    def draw() -> np.ndarray:
        drawn = rng.integers(len(items), size=[rows, _CANDIDATES])
        return np.array(
            [[items[i] for i in row] for row in drawn], object
        ).reshape(rows, _CANDIDATES)

    if signature == "score":
        inputs["candidates"] = draw()
    elif signature == "among":
        inputs |= {"allowed": draw(), "denied": draw()}
        # Every other row allows everything.
        inputs["allowed"][1::2] = ""
    if signature == "for_user" or (signature == "among" and users):
        # And one whom nobody knows.
        asking = ["", *users]
        inputs["user"] = np.array(
            [asking[i] for i in rng.integers(len(asking), size=rows)], object
        )
    if signature == "sample":
        inputs["seed"] = rng.integers(2**62, size=[rows, 2])
    return inputs


def write_warmup(
    folder: Path,
    name: str,
    signatures: Iterable[str],
    items: Sequence[str],
    users: Sequence[str] = (),
) -> None:
    """Writes the warm-up requests of a SavedModel.

    Args:
        folder: Folder of the SavedModel.
        name: The model's name in the server.
        signatures: Names of its signatures.
        items: The vocabulary.
        users: The users of a model that needs them.
    """
    rng = np.random.default_rng(0)
    extra = folder / "assets.extra"
    extra.mkdir()
    path = extra / "tf_serving_warmup_requests"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature in signatures:
            for shape in _SHAPES:
                drawn = rng.integers(len(items), size=shape)
                histories = [[items[i] for i in row] for row in drawn]
                inputs = example_inputs(signature, histories, items, rng, users)
                request = PredictRequest(
                    model_spec=ModelSpec(name=name, signature_name=signature),
                    inputs={
                        key: tf.make_tensor_proto(value)
                        for key, value in inputs.items()
                    },
                )
                log = PredictionLog(predict_log=PredictLog(request=request))
                writer.write(log.SerializeToString())
