"""What a version must keep to: its scores, its latency, its size.

Each bound has a function that measures and one that refuses; a refusal names
the bound and both numbers.
"""

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfrec.errors import InputError
from tfrec.metrics.statistics import Totals, interval
from tfrec.promotion.asking import Asked
from tfrec.serving.servable import DEFAULT_SIGNATURE, Servable
from tfrec.training.comparison import Measured
from tfrec.training.tables import short, title_of

_NOTHING = "Nothing was exported."


@dataclasses.dataclass(frozen=True)
class Difference:
    """A candidate's metric beside that of what it is compared with.

    Attributes:
        against: What it is compared with.
        metric: Name of the metric.
        candidate: The candidate's.
        incumbent: The other's.
        low: Lower end of the 95% interval of candidate - incumbent, by a
            bootstrap over users.
        high: Its upper end.
        users: Number of users, or sessions.
        asked: Whether the other was asked for its lists on this test, since
            its own test was of other data.
    """

    against: str
    metric: str
    candidate: float
    incumbent: float
    low: float
    high: float
    users: int
    asked: bool = False

    def __str__(self):
        change = self.candidate - self.incumbent
        how = ", asked on this test" if self.asked else ""
        return (
            f"{title_of(self.metric)} is {short(self.candidate)} against "
            f"{short(self.incumbent)} of {self.against}{how}: {change:+.4f} "
            f"[{self.low:+.4f}, {self.high:+.4f}] over {self.users:,} users"
        )


def compare(
    candidate: Measured, incumbent: Measured, metric: str, seed: int
) -> Difference:
    """Compares two that were tested on the same examples, user by user."""
    one, other = (each.totals(metric) for each in (candidate, incumbent))
    low, high = interval(Totals(one.sums - other.sums, one.counts), seed=seed)
    return Difference(
        str(incumbent.folder),
        metric,
        one.mean,
        other.mean,
        low,
        high,
        len(one.sums),
        isinstance(incumbent, Asked),
    )


def refuse_worse(
    folder: Any, found: Difference, max_loss: float | None
) -> None:
    """Raises `InputError` if a candidate is worse.

    Args:
        folder: The candidate.
        found: What `compare` returned.
        max_loss: What may be lost at most; None: it must not be shown that
            something is.
    """
    if max_loss is None:
        worse, bound = found.high < 0, "the upper end must be at least 0"
    else:
        worse = found.low < -max_loss
        bound = f"the lower end must be at least {-max_loss:+.4f}"
        bound += " (`--max_loss`)"
    if worse:
        raise InputError(f"{folder} is worse. {found}; {bound}. {_NOTHING}")


@dataclasses.dataclass(frozen=True)
class Latency:
    """How long single requests take, one after the other.

    Attributes:
        p50_ms: The median, in milliseconds.
        p99_ms: What 99% take at most.
        requests: Their number.
    """

    p50_ms: float
    p99_ms: float
    requests: int

    def __str__(self):
        return f"{self.p50_ms:.2f} ms, 99% below {self.p99_ms:.2f} ms"


def measure_latency(
    servable: Servable, histories: Sequence[Sequence[str]]
) -> Latency:
    """Times the signature that recommends, without a network.

    Args:
        servable: The SavedModel.
        histories: One for each request. All are asked once before.
    """
    signature = servable.signature(DEFAULT_SIGNATURE)

    def ask(history: Sequence[str]) -> float:
        row = np.array(history, object).reshape(1, len(history))
        started = time.perf_counter()
        servable.run(signature, {"history": row}, signature.outputs)
        return (time.perf_counter() - started) * 1e3

    for history in histories:
        ask(history)
    times = [ask(history) for history in histories]
    p50, p99 = np.percentile(times, [50, 99])
    return Latency(float(p50), float(p99), len(times))


def refuse_slow(found: Latency, most: float | None) -> None:
    """Raises `InputError` if the answers take too long."""
    if most is not None and found.p99_ms > most:
        raise InputError(
            f"The answers take too long: 99% of {found.requests} requests "
            f"take up to {found.p99_ms:.3g} ms, and `--max_latency_ms` is "
            f"{most:g}. {_NOTHING}"
        )


def refuse_large(megabytes: float, most: float | None) -> None:
    """Raises `InputError` if the files take too much."""
    if most is not None and megabytes > most:
        raise InputError(
            f"The SavedModel is too large: it has {megabytes:.3g} MB, and "
            f"`--max_size_mb` is {most:g}. {_NOTHING}"
        )
