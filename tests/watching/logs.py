"""Logs of requests that were never made: answers of a run, written down."""

import functools

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.model_pb2 import ModelSpec

from tfrec.data.histories import History
from tfrec.lists.runs import RunSource
from tfrec.serving.request_collector import Answered
from tfrec.watching.reference import read_pool

VERSION = 3
# The number of items in a list.
K = 3


@functools.cache
def source_of(run, k):
    """Returns what answers for a run, traced once."""
    return RunSource(run, k)


def pool(run):
    """Returns the histories of the test."""
    return read_pool(run.data, 10**6).chosen


def ids(run, history):
    """Returns the items of a history as clients send them."""
    return run.data.vocabulary.lookup(history.items)


def request(history, items=(), scores=(), rows=True, **changes):
    """Returns the request for one history, a list of ids, and its answer."""
    settings = {
        "name": "home",
        "version": VERSION,
        "signature": "serving_default",
        "sampling_rate": 0.5,
        "seconds": 1_700_000_000,
        "inputs": {},
        **changes,
    }
    answered = ModelSpec(
        name=settings["name"], signature_name=settings["signature"]
    )
    answered.version.value = settings["version"]
    asked = ModelSpec(
        name=settings["name"], signature_name=settings["signature"]
    )
    history = [item.encode() for item in history]
    outputs = {}
    if len(items):
        outputs = {
            "items": np.array([[i.encode() for i in items]], object),
            "scores": np.array([scores], np.float32),
        }
    return Answered(
        asked,
        answered,
        {"history": np.array([history], object), **settings["inputs"]},
        [],
        outputs,
        settings["sampling_rate"],
        settings["seconds"],
    )


def answers(run, histories, lead=(), **changes):
    """Returns requests for histories, and what the run answers.

    Args:
        run: The run.
        histories: The histories.
        lead: Ids that clients send before each history.
        **changes: See `request`.
    """
    source = source_of(run, K)
    bare = [History("", 0, history.items) for history in histories]
    return [
        request([*lead, *ids(run, history)], *listed, **changes)
        for history, listed in zip(histories, source.best(bare), strict=True)
    ]


def write(path, requests):
    """Writes a log; returns its path."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for one in requests:
            writer.write(one.message().SerializeToString())
    return path
