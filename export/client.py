"""Asks TensorFlow Serving for recommendations over gRPC: an example to copy.

pip install tensorflow-serving-api
python export/client.py localhost:8500 acvae salsa-001 bluegrass-015

The messages are TensorFlow's, which writes a few lines to standard error while
it is imported.
"""

import sys

import grpc
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_service_pb2_grpc import (
    PredictionServiceStub,
)

# With several servers behind one name, to take them in turns.
OPTIONS = [("grpc.lb_policy_name", "round_robin")]


def recommend(stub, model, histories, timeout=1.0, label=""):
    """Returns for each history its best items with their log-probabilities."""
    # The first "" is what a server with batching pads with.
    length = 1 + max(map(len, histories))
    rows = [["", *h] + [""] * (length - 1 - len(h)) for h in histories]
    request = PredictRequest()
    request.model_spec.name = model
    request.model_spec.version_label = label
    request.inputs["history"].CopyFrom(tf.make_tensor_proto(rows, tf.string))
    outputs = stub.Predict(request, timeout).outputs
    items, scores = (tf.make_ndarray(outputs[n]) for n in ("items", "scores"))
    return [
        [(item.decode(), score) for item, score in zip(*best, strict=True)]
        for best in zip(items, scores, strict=True)
    ]


if __name__ == "__main__":
    address, model, *history = sys.argv[1:]
    # One channel for the life of the process: it is what costs time.
    with grpc.insecure_channel(address, OPTIONS) as channel:
        stub = PredictionServiceStub(channel)
        for item, score in recommend(stub, model, [history], timeout=10)[0]:
            print(f"{score:8.3f}  {item}")
