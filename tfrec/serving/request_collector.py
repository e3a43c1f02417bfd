"""Writing requests and their answers, beside those who are answered.

A record is a `PredictionLog`, as TensorFlow Serving logs: the request as it was
asked, the answer, and of the metadata the model and version that answered, the
sampling and the time.
"""

import collections
import contextlib
import dataclasses
import functools
import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from grpc import StatusCode
from tensorflow_serving.apis.logging_pb2 import LogMetadata
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog, PredictLog

from tfrec.serving import tensors
from tfrec.serving.request_files import WRITE_ERRORS, LogFiles
from tfrec.serving.statuses import first_line

# Of the requests that wait to be written.
_MOST_BYTES = 2**27
# Until a disk that was full is tried again.
_PAUSE_SECONDS = 10.0


@dataclasses.dataclass(frozen=True)
class Answered:
    """A request and its answer.

    Attributes:
        asked: The model as the request names it.
        spec: The model, version and signature that answered.
        inputs: By name.
        output_filter: The outputs that were asked for.
        outputs: By name.
        sampling_rate: The share of the requests that are logged.
        seconds: When, since 1970.
    """

    asked: ModelSpec
    spec: ModelSpec
    inputs: Mapping[str, np.ndarray]
    output_filter: Sequence[str]
    outputs: Mapping[str, np.ndarray]
    sampling_rate: float = 1.0
    seconds: float = dataclasses.field(default_factory=time.time)

    @functools.cached_property
    def size(self) -> int:
        """How many bytes its values take."""
        arrays = (*self.inputs.values(), *self.outputs.values())
        return sum(
            array.nbytes + sum(map(sys.getsizeof, array.flat))
            if array.dtype == object
            else array.nbytes
            for array in arrays
        )

    def message(self) -> PredictionLog:
        """Returns it in the format of TensorFlow Serving's logs."""
        metadata = LogMetadata(
            model_spec=self.spec, timestamp_secs=int(self.seconds)
        )
        metadata.sampling_config.sampling_rate = self.sampling_rate
        request = PredictRequest(
            model_spec=self.asked, output_filter=self.output_filter
        )
        response = PredictResponse(model_spec=self.spec)
        for protos, arrays in (
            (request.inputs, self.inputs),
            (response.outputs, self.outputs),
        ):
            for name, array in arrays.items():
                protos[name].CopyFrom(tensors.to_proto(array))
        return PredictionLog(
            log_metadata=metadata,
            predict_log=PredictLog(request=request, response=response),
        )


class Collector:
    """Writes what it is given, in a thread of its own.

    Args:
        files: Where.
        observe: Is told of each request its model, and what became of it: OK,
            RESOURCE_EXHAUSTED if too many wait, UNAVAILABLE if the disk does
            not take it, or the log was closed.
    """

    def __init__(
        self, files: LogFiles, observe: Callable[[str, StatusCode], None]
    ):
        self._files, self._observe = files, observe
        self._condition = threading.Condition()
        self._waiting: collections.deque[Answered] = collections.deque()
        self._bytes = 0
        self._closed = False
        # Until when nothing is tried, and what was lost since it failed.
        self._pause, self._lost = 0.0, 0
        self._thread = threading.Thread(
            target=self._work, name="request log", daemon=True
        )
        self._thread.start()

    def put(self, answered: Answered) -> None:
        """Takes a request, unless too much waits; never waits itself."""
        # Outside of the lock, as it looks at every string.
        size = answered.size
        with self._condition:
            # One that is larger than all that may wait is taken alone.
            more = self._bytes + size > _MOST_BYTES
            full, closed = bool(self._waiting) and more, self._closed
            if not full and not closed:
                self._waiting.append(answered)
                self._bytes += size
                self._condition.notify()
        if closed:
            self._observe(answered.spec.name, StatusCode.UNAVAILABLE)
        elif full:
            self._observe(answered.spec.name, StatusCode.RESOURCE_EXHAUSTED)

    def close(self, timeout: float | None = None) -> None:
        """Writes what waits, and ends.

        Args:
            timeout: Most seconds to wait for it.
        """
        with self._condition:
            self._closed = True
            self._condition.notify()
        self._thread.join(timeout)

    def _work(self) -> None:
        while answered := self._next():
            try:
                code = self._write(answered)
            # A bug with one request must not end the log of the others.
            except Exception:
                logging.getLogger(__name__).exception("A log met a bug:")
                code = StatusCode.INTERNAL
                self._pause = time.monotonic() + _PAUSE_SECONDS
            self._observe(answered.spec.name, code)
        try:
            self._files.close()
        except WRITE_ERRORS as error:
            say(f"The log of requests may lack its end: {first_line(error)}.")

    def _next(self) -> Answered | None:
        """Waits for a request; None: there will be none."""
        with self._condition:
            self._condition.wait_for(lambda: self._waiting or self._closed)
            if not self._waiting:
                return None
            answered = self._waiting.popleft()
            self._bytes -= answered.size
            return answered

    def _write(self, answered: Answered) -> StatusCode:
        if time.monotonic() < self._pause:
            self._lost += 1
            return StatusCode.UNAVAILABLE
        try:
            self._files.write(answered.message().SerializeToString())
        except WRITE_ERRORS as error:
            if not self._lost:
                say(
                    f"Requests cannot be logged: {first_line(error)}. They "
                    "are answered as before."
                )
            self._lost += 1
            self._pause = time.monotonic() + _PAUSE_SECONDS
            return StatusCode.UNAVAILABLE
        if self._lost:
            say(f"Requests are logged again; {self._lost:,} were not.")
            self._lost = 0
        return StatusCode.OK


def say(message: str) -> None:
    """Prints a line to the log of the server."""
    # On a full disk as well, as the file that it may go to is.
    with contextlib.suppress(OSError):
        print(message, file=sys.stderr, flush=True)
