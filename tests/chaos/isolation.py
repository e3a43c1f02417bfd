"""Runs many cases in forked processes, within limits of time and memory."""

import multiprocessing
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

_FORK = multiprocessing.get_context("fork")
# Seconds that a new process gets more, for what it does once.
_FIRST = 60


class Outcome(NamedTuple):
    """What came of a case.

    Attributes:
        case: The case.
        said: What the function returned; "" where it did not.
        failure: A trace, a hang, the death of the process or too much memory;
            "" if there was none.
    """

    case: Any
    said: str
    failure: str


def isolated(
    function: Callable[[Any], str],
    cases: Iterable[Any],
    seconds: float,
    megabytes: float,
    batch: int,
) -> Iterator[Outcome]:
    """Calls a function on every case, apart from this process.

    This process must have no threads that hold locks: it is forked.

    Args:
        function: Returns what came of a case.
        cases: Its arguments.
        seconds: Most that one may take.
        megabytes: Most that the memory in use may grow by.
        batch: Cases in one process, one after the other.

    Yields:
        What came of each, in order.
    """
    waiting: list[Any] = []
    for case in cases:
        waiting.append(case)
        if len(waiting) == batch:
            yield from _run(function, waiting, seconds, megabytes)
            waiting = []
    yield from _run(function, waiting, seconds, megabytes)


def _run(
    function: Callable[[Any], str],
    cases: Sequence[Any],
    seconds: float,
    megabytes: float,
) -> Iterator[Outcome]:
    """Yields the outcomes of a batch, with a new process after each death."""
    while cases:
        ours, theirs = _FORK.Pipe(duplex=False)
        arguments = (function, cases, theirs, megabytes)
        process = _FORK.Process(target=_work, args=arguments, daemon=True)
        process.start()
        theirs.close()
        done = 0
        for case in cases:
            limit = seconds + (0 if done else _FIRST)
            try:
                if not ours.poll(limit):
                    outcome = Outcome(case, "", f"takes more than {limit:g} s")
                    process.kill()
                else:
                    outcome = Outcome(case, *ours.recv())
            except EOFError:
                process.join()
                code = process.exitcode
                outcome = Outcome(case, "", f"the process died: {code}")
            done += 1
            yield outcome
            if outcome.failure:
                break
        process.kill()
        process.join()
        ours.close()
        cases = cases[done:]


def _work(function, cases, pipe, megabytes):
    # The peak is that of the process that was forked, until it is reset.
    Path("/proc/self/clear_refs").write_text("5")
    before = _peak_megabytes()
    for case in cases:
        try:
            said, failure = function(case), ""
        except Exception:
            said, failure = "", traceback.format_exc()
        grown = _peak_megabytes() - before
        if not failure and grown > megabytes:
            said, failure = "", f"took {grown:.0f} MB"
        pipe.send((said, failure))


def _peak_megabytes() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
