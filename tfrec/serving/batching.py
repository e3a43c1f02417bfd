"""Merging concurrent requests into batches.

Requests that arrive while others run wait; those with the same signature and
the same shapes, rows aside, then run as one. A lone request never waits for
company, and runs where it is, so batching costs no latency.
"""

import collections
import contextlib
import dataclasses
import functools
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future

import numpy as np
from grpc import StatusCode
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from tfrec.serving.servable import Servable
from tfrec.serving.statuses import RequestError

# One batch is prepared and split while another is computed.
_THREADS = 2


@dataclasses.dataclass(eq=False)
class _Task:
    inputs: Mapping[str, np.ndarray]
    rows: int
    run: collections.abc.Callable
    future: Future


class Batcher:
    """Runs requests in threads of its own, merged where possible."""

    def __init__(self, max_rows: int, max_waiting: int):
        """Starts the threads.

        Args:
            max_rows: Most rows in a batch.
            max_waiting: Requests that may wait; one more is refused.
        """
        self._max_rows = max_rows
        self._max_waiting = max_waiting
        self._condition = threading.Condition()
        # Tasks that may be merged, by what makes them so; the oldest first.
        self._waiting: dict[object, collections.deque[_Task]] = {}
        self._waiting_count = 0
        self._running = 0
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name="batch", daemon=True)
            for _ in range(_THREADS)
        ]
        for thread in self._threads:
            thread.start()

    def submit(
        self,
        servable: Servable,
        signature: SignatureDef,
        inputs: Mapping[str, np.ndarray],
        outputs: frozenset[str],
    ) -> Future:
        """Takes a request.

        Args:
            servable: The version to run; in use until the future is done.
            signature: One of its signatures.
            inputs: Arrays as the signature has them, of equally many rows.
            outputs: Names of the outputs to compute.

        Returns:
            A future of the outputs by name. Cancelled before it runs, it
            is not computed, and another may wait in its place.

        Raises:
            RequestError: If too many wait or the batcher is closed.
        """
        if _has_rows(signature):
            rows = next(iter(inputs.values())).shape[0]
            key = (
                id(servable),
                id(signature),
                outputs,
                *((name, inputs[name].shape[1:]) for name in sorted(inputs)),
            )
        else:
            rows, key = 0, object()
        task = _Task(
            inputs,
            rows,
            lambda inputs: servable.run(signature, inputs, outputs),
            Future(),
        )
        with self._condition:
            if self._closed:
                raise RequestError(
                    StatusCode.UNAVAILABLE, "The server is shutting down."
                )
            if self._waiting_count >= self._max_waiting:
                raise RequestError(
                    StatusCode.UNAVAILABLE,
                    "The batch scheduling queue to which this task was "
                    f"submitted is full: {self._waiting_count} wait. Try "
                    "again later.",
                )
            self._waiting_count += 1
            self._waiting.setdefault(key, collections.deque()).append(task)
            self._condition.notify()
        # The future knows its place, not the task, which would stay with it.
        forget = functools.partial(self._forget, key)
        task.future.add_done_callback(forget)
        return task.future

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return self._waiting_count

    @contextlib.contextmanager
    def alone(self) -> Iterator[bool]:
        """Tells the caller whether to run a request itself.

        That is so while nothing runs or waits. To hand a lone request to
        another thread and its answer back takes longer than many a model.
        """
        with self._condition:
            alone = not (self._running or self._waiting or self._closed)
            self._running += alone
        try:
            yield alone
        finally:
            with self._condition:
                self._running -= alone

    def close(self) -> None:
        """Runs what waits and ends the threads."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                tasks = self._take()
                self._running += 1
            tasks = [
                t for t in tasks if t.future.set_running_or_notify_cancel()
            ]
            if tasks:
                _run(tasks)
            # Not to keep the last batch alive while waiting for the next.
            del tasks
            with self._condition:
                self._running -= 1

    def _forget(self, key: object, future: Future) -> None:
        """Removes a task that was cancelled, if it still waits."""
        if not future.cancelled():
            return
        with self._condition:
            queue = self._waiting.get(key, ())
            for task in [t for t in queue if t.future is future]:
                queue.remove(task)
                self._waiting_count -= 1
                if not queue:
                    del self._waiting[key]

    def _take(self) -> list[_Task]:
        """Removes the tasks of one batch, those that wait longest."""
        key, queue = next(iter(self._waiting.items()))
        del self._waiting[key]
        tasks = [queue.popleft()]
        rows = tasks[0].rows
        while queue and rows + queue[0].rows <= self._max_rows:
            tasks.append(queue.popleft())
            rows += tasks[-1].rows
        if queue:
            self._waiting[key] = queue  # Behind all the others: fair.
            self._condition.notify()
        self._waiting_count -= len(tasks)
        return tasks


def _has_rows(signature: SignatureDef) -> bool:
    """Returns whether every tensor has a free first dimension."""
    return bool(signature.inputs) and all(
        info.tensor_shape.dim and info.tensor_shape.dim[0].size == -1
        for tensors in (signature.inputs, signature.outputs)
        for info in tensors.values()
    )


def _run(tasks: list[_Task]) -> None:
    """Runs tasks as one batch and gives each its rows."""
    try:
        if len(tasks) == 1:
            tasks[0].future.set_result(tasks[0].run(tasks[0].inputs))
            return
        outputs = tasks[0].run(
            {
                name: np.concatenate([task.inputs[name] for task in tasks])
                for name in tasks[0].inputs
            }
        )
    except Exception as error:
        if len(tasks) == 1:
            tasks[0].future.set_exception(error)
            return
        # Nobody pays for the mistake of another: each by itself.
        for task in tasks:
            _run([task])
        return
    start = 0
    for task in tasks:
        end = start + task.rows
        task.future.set_result(
            {name: array[start:end] for name, array in outputs.items()}
        )
        start = end
