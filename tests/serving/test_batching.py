import threading

import numpy as np
import pytest
from grpc import StatusCode
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from tfrec.serving.batching import Batcher
from tfrec.serving.statuses import RequestError, invalid

OUTPUTS = frozenset(["length"])
# Requests that may wait.
MOST = 6


def signature(*dims):
    result = SignatureDef()
    for size in dims:
        result.inputs["history"].tensor_shape.dim.add(size=size)
        result.outputs["length"].tensor_shape.dim.add(size=size)
    return result


ROWS = signature(-1, -1)


class Fake:
    """Runs when it is let, and keeps the rows of every batch."""

    def __init__(self):
        self.batches = []
        self.go = threading.Event()

    def run(self, signature, inputs, outputs):
        assert outputs == OUTPUTS
        self.go.wait(10)
        history = inputs["history"]
        self.batches.append(len(history))
        if "bad" in history:
            raise invalid("bad")
        return {"length": history + "!"}


@pytest.fixture
def fake():
    return Fake()


@pytest.fixture
def batcher(fake):
    batcher = Batcher(max_rows=4, max_waiting=MOST)
    yield batcher
    fake.go.set()
    batcher.close()


@pytest.fixture
def submit(batcher, fake):
    """Submits one column of words, after both threads were made busy."""

    def submit(*words, signature=ROWS, servable=fake):
        history = np.array([[word] for word in words], object)
        return batcher.submit(
            servable, signature, {"history": history}, OUTPUTS
        )

    for _ in range(2):
        submit("busy", signature=signature(-1, -1))
    while batcher.waiting:
        pass
    return submit


@pytest.fixture
def batches(batcher, fake):
    """Lets everything run; returns the rows of the batches that waited."""

    def batches():
        fake.go.set()
        batcher.close()
        return sorted(fake.batches)[2:]

    return batches


def words(future):
    return future.result(10)["length"].ravel().tolist()


def test_what_waits_runs_as_one_and_each_gets_its_rows(submit, batches):
    futures = [submit("a"), submit("b", "c"), submit("d")]
    assert batches() == [4]
    assert [words(f) for f in futures] == [["a!"], ["b!", "c!"], ["d!"]]


def test_a_batch_has_no_more_rows_than_allowed(submit, batches):
    futures = [submit("a", "b", "c"), submit("d", "e"), submit("f")]
    assert batches() == [3, 3]
    assert words(futures[2]) == ["f!"]


def test_other_shapes_signatures_and_versions_run_apart(
    submit, batcher, fake, batches
):
    other = Fake()
    other.go.set()
    wide = np.array([["x", "y"]], object)
    futures = [
        submit("a"),
        submit("a", signature=signature(-1, -1)),
        submit("a", servable=other),
        batcher.submit(fake, ROWS, {"history": wide}, OUTPUTS),
        submit("a", signature=signature(1, -1)),
        submit("a", signature=signature(1, -1)),
    ]
    assert batches() == [1] * 5
    assert other.batches == [1]
    assert [words(f) for f in futures] == [["a!"]] * 3 + [
        ["x!", "y!"],
        ["a!"],
        ["a!"],
    ]


def test_a_mistake_is_its_own_requests_only(submit, fake):
    futures = [submit("a"), submit("bad"), submit("c")]
    fake.go.set()
    assert words(futures[0]) == ["a!"]
    assert words(futures[2]) == ["c!"]
    with pytest.raises(RequestError, match="bad"):
        futures[1].result(10)


def test_a_cancelled_request_does_not_run(submit, batches):
    futures = [submit("a"), submit("b")]
    assert futures[0].cancel()
    assert batches() == [1]
    assert words(futures[1]) == ["b!"]


def test_too_many_waiting_are_refused(submit, fake):
    futures = [submit("a") for _ in range(MOST)]
    with pytest.raises(RequestError, match="is full: 6 wait") as error:
        submit("b")
    assert error.value.code == StatusCode.UNAVAILABLE
    fake.go.set()
    assert [words(future) for future in futures] == [["a!"]] * MOST


def test_another_may_wait_in_the_place_of_a_cancelled_one(
    submit, batcher, batches
):
    futures = [submit(str(number)) for number in range(MOST)]
    for number in (0, 3):
        assert futures[number].cancel()
    assert batcher.waiting == MOST - 2
    # The only one of its shape: nothing is left to run.
    alone = submit("x", signature=signature(-1, -1))
    assert alone.cancel()
    futures += [submit("b"), submit("c")]
    assert batches() == [2, 4]
    kept = [words(f) for f in futures if not f.cancelled()]
    assert kept == [["1!"], ["2!"], ["4!"], ["5!"], ["b!"], ["c!"]]


def test_closing_answers_what_waits_and_refuses_more(submit, batcher, fake):
    future = submit("a")
    fake.go.set()
    batcher.close()
    assert words(future) == ["a!"]
    with pytest.raises(RequestError) as error:
        submit("b")
    assert error.value.code == StatusCode.UNAVAILABLE


def test_only_a_lone_request_runs_where_it_is(batcher, fake):
    with batcher.alone() as first, batcher.alone() as second:
        assert first
        assert not second
    history = {"history": np.array([["a"]], object)}
    future = batcher.submit(fake, ROWS, history, OUTPUTS)
    with batcher.alone() as alone:
        assert not alone
    fake.go.set()
    assert words(future) == ["a!"]
    batcher.close()
    with batcher.alone() as alone:
        assert not alone
