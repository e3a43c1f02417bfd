"""Clients that ask side by side, most of them rightly."""

import collections
import itertools
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import grpc

from benchmarks.load import rest_client
from benchmarks.soak.faults import Place, draw_fault
from benchmarks.soak.truth import Question, Truth, from_grpc, from_rest

PREDICT = "/tensorflow.serving.PredictionService/Predict"
_PATIENCE = 60
# Of the wires: gRPC, REST over one connection, REST with one for each request.
_SHARES = (0.5, 0.35, 0.15)
# Failures that are kept; more are counted.
_KEPT = 20


class Addresses(NamedTuple):
    """host:port of a server, for gRPC and for REST."""

    grpc: str
    rest: str


class Tally:
    """What came of the requests so far.

    Attributes:
        counts: Requests by what they were.
        failed: How many did not hold.
        failures: The first of them, as texts.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._latencies: list[float] = []
        self.counts: collections.Counter = collections.Counter()
        self.failed = 0
        self.failures: list[str] = []

    def right(self, kind: str, seconds: float | None = None) -> None:
        """Counts a request that was answered as it must be."""
        with self._lock:
            self.counts[kind] += 1
            if seconds is not None:
                self._latencies.append(seconds)

    def wrong(self, kind: str, what: str) -> None:
        """Counts what did not hold."""
        with self._lock:
            self.counts[kind] += 1
            self.failed += 1
            if len(self.failures) < _KEPT:
                self.failures.append(f"{kind}: {what}")

    def latencies(self) -> list[float]:
        """Returns those since the last call, in seconds, in order."""
        with self._lock:
            found, self._latencies = self._latencies, []
        return sorted(found)


class Clients:
    """Ask until enough was asked or they are told to stop.

    Attributes:
        made: The requests that were made so far.
    """

    def __init__(
        self,
        addresses: Addresses,
        model: str,
        questions: Sequence[Question],
        truth: Truth,
        tally: Tally,
        most: int,
        faults: float,
        seed: int,
    ):
        """Takes what all of them share.

        Args:
            addresses: Where the server listens.
            model: The name of the model.
            questions: What is asked.
            truth: What may be answered.
            tally: What came of it.
            most: Requests in all.
            faults: The share of faults among them.
            seed: Of what is drawn.
        """
        self._addresses = addresses
        self._model = model
        self._questions = questions
        self._truth = truth
        self._tally = tally
        self._lock = threading.Lock()
        self._left = most
        self.made = 0
        self._faults = faults
        self._seed = seed
        self._threads: list[threading.Thread] = []
        self._stop = threading.Event()

    def start(self, count: int) -> None:
        """Starts so many, each in a thread."""
        for number in range(count):
            thread = threading.Thread(
                target=self._work, args=(number,), daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def running(self) -> bool:
        """Returns whether any still asks."""
        return any(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Takes no more turns, and waits for the answers."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _work(self, number: int) -> None:
        rng = random.Random(f"{self._seed}.{number}")
        path = f"/v1/models/{self._model}:predict"
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(self._addresses.grpc, options) as channel:
            method = channel.unary_unary(PREDICT)
            place = Place(self._addresses.rest, method, self._model)
            asks = {
                "gRPC": lambda request: method(request, _PATIENCE),
                "REST": rest_client(self._addresses.rest, path, keep=True),
                "REST, connecting": rest_client(self._addresses.rest, path),
            }
            while not self._stop.is_set():
                with self._lock:
                    if not self._left:
                        return
                    self._left -= 1
                chosen = rng.randrange(len(self._questions))
                if rng.random() < self._faults:
                    self._err(place, self._questions[chosen], rng)
                else:
                    wire = rng.choices(tuple(asks), _SHARES)[0]
                    self._ask(wire, asks[wire], chosen)
                with self._lock:
                    self.made += 1

    def _err(
        self, place: Place, question: Question, rng: random.Random
    ) -> None:
        fault = draw_fault(rng)
        try:
            complaint = fault.commit(place, question, rng)
        except Exception as error:
            complaint = repr(error)
        if complaint:
            self._tally.wrong(fault.name, complaint)
        else:
            self._tally.right(fault.name)

    def _ask(
        self, wire: str, ask: Callable[[bytes], bytes], chosen: int
    ) -> None:
        question = self._questions[chosen]
        body = question.grpc if wire == "gRPC" else question.rest
        begin = time.monotonic()
        try:
            content = ask(body)
            end = time.monotonic()
            answer = (from_grpc if wire == "gRPC" else from_rest)(content)
            complaint = self._truth.complaint(chosen, answer, begin, end)
        except Exception as error:
            complaint = repr(error)
        if complaint:
            self._tally.wrong(wire, complaint)
        else:
            self._tally.right(wire, end - begin)


class SlowClients:
    """Connections that drip or are silent, until the server hangs up."""

    def __init__(self, place: Place, tally: Tally, count: int, longest: float):
        """Takes their number.

        Args:
            place: Where they connect to.
            tally: What came of them.
            count: How many there are at a time; every other one drips.
            longest: Seconds after which the server must have hung up.
        """
        self._place = place
        self._tally = tally
        self._count = count
        self._longest = longest
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        """Begins to connect."""
        self._thread.start()

    def stop(self) -> None:
        """Closes those that are left."""
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        head = self._place.head(10**6)
        open_now = {}
        for number in itertools.count():
            if self._stop.wait(0.2):
                break
            if len(open_now) < self._count:
                connection = self._place.connect()
                # Anywhere in the head, or in the body.
                connection.sendall(head[: 1 + 7 * number % len(head)])
                connection.setblocking(False)
                open_now[connection] = (time.monotonic(), number % 2)
            for connection, (since, drips) in list(open_now.items()):
                self._look(connection, since, drips, open_now)
        for connection in open_now:
            connection.close()

    def _look(self, connection, since, drips, open_now) -> None:
        kind = "dripping" if drips else "half-open"
        try:
            if drips:
                connection.send(b"0")
            hung_up = connection.recv(4096) == b""
        except BlockingIOError:
            hung_up = False
        except OSError:
            hung_up = True
        if hung_up:
            self._tally.right(kind)
        elif time.monotonic() - since > self._longest:
            self._tally.wrong(kind, f"not hung up on in {self._longest:g} s")
        else:
            return
        connection.close()
        del open_now[connection]
