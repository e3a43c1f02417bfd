"""The soak itself: clients, faults and releases side by side, and a verdict."""

import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc

from benchmarks.server_process import Usage, usage
from benchmarks.soak.clients import (
    PREDICT,
    Addresses,
    Clients,
    SlowClients,
    Tally,
)
from benchmarks.soak.curve import Curve, growth
from benchmarks.soak.faults import Place
from benchmarks.soak.releases import Releases
from benchmarks.soak.truth import Truth, draw_questions, known_answers

# Lines of the curve.
_LINES = 20
# A slow client may live longer than the timeout, on a machine that is busy.
_SLACK = 50
# Seconds in which connections that are closed are given back.
_SETTLE = 30
# Descriptors that may stay, such as those of TensorFlow's own files.
_MOST_FILES = 4
_MOST_THREADS = 8


class Soak:
    """One soak.

    Args:
        config: Settings of the command.
        folder: The folder of the model, where the server looks; its name is
            the model's. It gets the first version at once.
        store: The whole versions by name.
        items: The ids that they know.
    """

    def __init__(
        self,
        config: Any,
        folder: Path,
        store: Mapping[str, Path],
        items: Sequence[str],
    ):
        self._config = config
        self._tally = Tally()
        self._folder = folder
        rng = random.Random(config.seed)
        self._questions = draw_questions(
            rng, items, config.histories, folder.name
        )
        self._truth = Truth(
            {
                name: known_answers(path, self._questions)
                for name, path in store.items()
            }
        )
        folder.mkdir(parents=True)
        self._releases = Releases(
            folder, store, self._truth, self._tally, config.seed
        )
        self._releases.first()
        self._curve: Curve | None = None
        self._idle: tuple[Usage, Usage] | None = None

    def run(self, addresses: Addresses, pid: int) -> None:
        """Asks a server that serves the folder.

        Args:
            addresses: Where it listens.
            pid: Its process.
        """
        config, tally = self._config, self._tally
        model = self._folder.name
        clients = Clients(
            addresses,
            model,
            self._questions,
            self._truth,
            tally,
            config.requests,
            config.faults,
            config.seed,
        )
        end = time.monotonic() + 60 * config.minutes
        self._curve = Curve(pid, _LINES)

        def share() -> float:
            return min(1.0, clients.made / config.requests)

        def running() -> bool:
            if time.monotonic() > end and clients.running():
                print(f"Stopped after {config.minutes:g} minutes.")
                self._releases.stop()
                clients.stop()
            return clients.running()

        before = usage(pid)
        with grpc.insecure_channel(addresses.grpc) as channel:
            place = Place(addresses.rest, channel.unary_unary(PREDICT), model)
            slow = SlowClients(
                place,
                tally,
                config.slow_clients,
                config.request_timeout + _SLACK,
            )
            slow.start()
            clients.start(config.clients)
            self._releases.start(
                config.swaps, config.broken, addresses.rest, share
            )
            self._curve.follow(
                share, lambda: clients.made, tally.latencies, running
            )
            self._releases.finish()
            slow.stop()
        self._idle = before, _settled(pid, before)

    def read_log(self, lines: Sequence[str]) -> None:
        """Looks for bugs in what the server wrote."""
        text = "".join(lines)
        if "Traceback" in text:
            begin = text.index("Traceback")
            self._tally.wrong("log", text[begin : begin + 3000])

    def verdict(self) -> bool:
        """Prints what came of it; returns whether all held."""
        tally, config = self._tally, self._config
        print()
        for kind, count in sorted(tally.counts.items()):
            print(f"{kind:24}{count:10,}")
        before, after = self._idle
        print(
            f"\nIdle before and after: {before.descriptors} and "
            f"{after.descriptors} files, {before.threads} and {after.threads} "
            f"threads, {before.resident / 1e6:.0f} and "
            f"{after.resident / 1e6:.0f} MB."
        )
        kept = after.descriptors - before.descriptors
        if kept > _MOST_FILES:
            tally.wrong("files", f"{kept} stayed open")
        grown = growth(self._curve.looks)
        if grown:
            print(
                "After the warm-up it grew by "
                f"{grown['MB']:+.1f} MB, {grown['threads']:+} threads and "
                f"{grown['files']:+} files."
            )
            if grown["MB"] > config.most_growth_mb:
                tally.wrong("memory", f"grew by {grown['MB']:.1f} MB")
            if grown["threads"] > _MOST_THREADS:
                tally.wrong("threads", f"grew by {grown['threads']}")
        for what in tally.failures:
            print(f"FAILED {what}")
        print(
            f"{self._curve.looks[-1].done:,} requests, seed {config.seed}: "
            f"{tally.failed} did not hold."
        )
        return not tally.failed


def _settled(pid: int, before: Usage) -> Usage:
    """Waits until the connections are closed; returns what is left."""
    deadline = time.monotonic() + _SETTLE
    while True:
        now = usage(pid)
        few = now.descriptors - before.descriptors <= _MOST_FILES
        if few or time.monotonic() > deadline:
            return now
        time.sleep(0.2)
