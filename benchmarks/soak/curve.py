"""What a server holds while it is asked: a curve, and whether it grows."""

import dataclasses
import time
from collections.abc import Callable, Sequence

from benchmarks.server_process import Usage, usage

# Seconds between two looks.
_PERIOD = 0.5
# Shares of the requests that were made: what comes before the first is the
# warm-up. What is held then is compared with what is held at the end.
_EARLY, _LATE = (0.2, 0.4), (0.8, 1.0)


@dataclasses.dataclass(frozen=True)
class Look:
    """What was held at a moment.

    Attributes:
        done: The requests that were made so far.
        usage: What the server held.
    """

    done: int
    usage: Usage


class Curve:
    """Looks at a server again and again, and prints a line now and then."""

    def __init__(self, pid: int, lines: int):
        """Takes the process and the number of lines."""
        self._pid = pid
        self._lines = lines
        self._printed = 0
        self._last = (time.monotonic(), 0)
        self.looks: list[Look] = []

    def follow(
        self,
        share: Callable[[], float],
        done: Callable[[], int],
        latencies: Callable[[], list[float]],
        running: Callable[[], bool],
    ) -> None:
        """Looks until the clients have ended.

        Args:
            share: Tells the share of the requests that was made.
            done: Tells their number.
            latencies: Gives those since the last call, in seconds, in order.
            running: Whether clients still ask.
        """
        print(
            f"{'requests':>10}{'min':>7}{'MB':>8}{'threads':>9}{'files':>7}"
            f"{'per s':>8}{'p50 ms':>8}{'p99 ms':>8}"
        )
        start = self._last[0]
        going = True
        while going:
            going = running()
            look = Look(done(), usage(self._pid))
            self.looks.append(look)
            lines = int(share() * self._lines)
            if lines > self._printed or not going:
                self._printed = lines
                self._print(look, latencies(), start)
            if going:
                time.sleep(_PERIOD)

    def _print(self, look: Look, latencies: list[float], start: float) -> None:
        now = time.monotonic()
        before, done = self._last
        rate = (look.done - done) / max(now - before, 1e-9)
        self._last = (now, look.done)
        times = "".join(
            f"{1e3 * latencies[len(latencies) * percent // 100]:8.1f}"
            if latencies
            else f"{'-':>8}"
            for percent in (50, 99)
        )
        print(
            f"{look.done:10,}{(now - start) / 60:7.1f}"
            f"{look.usage.resident / 1e6:8.1f}{look.usage.threads:9}"
            f"{look.usage.descriptors:7}{rate:8.0f}{times}",
            flush=True,
        )


def growth(looks: Sequence[Look]) -> dict[str, float]:
    """Returns by how much each kind grew after the warm-up.

    Memory by its least, since two versions are there during a swap, and what
    Python collects is given back late; the others by their most.

    Args:
        looks: In order.
    """
    done = looks[-1].done
    early, late = (
        [each.usage for each in looks if first <= each.done / done <= last]
        for first, last in (_EARLY, _LATE)
    )
    if not early or not late:
        return {}
    return {
        "MB": (_least(late) - _least(early)) / 1e6,
        "threads": _most(late, "threads") - _most(early, "threads"),
        "files": _most(late, "descriptors") - _most(early, "descriptors"),
    }


def _least(usages: Sequence[Usage]) -> int:
    return min(each.resident for each in usages)


def _most(usages: Sequence[Usage], name: str) -> int:
    return max(getattr(each, name) for each in usages)
