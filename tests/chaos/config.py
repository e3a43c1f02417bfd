"""What every attack is given, and what it ends with."""

import collections
import dataclasses
import sys
import time
from collections.abc import Iterator

from tqdm import tqdm

from tfrec.settings import Settings, setting


@dataclasses.dataclass(frozen=True)
class AttackConfig(Settings):
    """How often, how long."""

    count: int = setting(100, "Number of attacks.", minimum=1)
    seed: int = setting(0, "Seed of what is drawn.", minimum=0)
    minutes: float = setting(
        30.0, "Stops before the next attack after so many.", above=0
    )


class Tally:
    """What came of the attacks, printed as it comes.

    Attributes:
        outcomes: Number of attacks by (kind, outcome).
        failures: One text for each that did not hold.
    """

    def __init__(self, config: AttackConfig):
        self._config = config
        self._start = time.monotonic()
        self.outcomes: collections.Counter = collections.Counter()
        self.failures: list[str] = []

    def numbers(self, count: int | None = None) -> Iterator[int]:
        """Yields the number of each attack while there is time.

        Args:
            count: Of attacks; that of the settings by default.
        """
        count = self._config.count if count is None else count
        for number in tqdm(range(count), unit=" attacks", disable=None):
            if self._minutes > self._config.minutes:
                print(f"Stopped after {self._config.minutes:g} minutes.")
                return
            yield number

    @property
    def _minutes(self) -> float:
        return (time.monotonic() - self._start) / 60

    def held(self, kind: str, outcome: str) -> None:
        """Counts an attack that did no harm."""
        self.outcomes[kind, outcome] += 1

    def failed(self, kind: str, what: str) -> None:
        """Counts an attack that did harm, and prints it."""
        self.outcomes[kind, "FAILED"] += 1
        self.failures.append(f"{kind}: {what}")
        print(f"FAILED {kind}: {what}", flush=True)

    def report(self) -> int:
        """Prints a table; returns the status to exit with."""
        kinds = sorted({kind for kind, _ in self.outcomes})
        names = sorted({name for _, name in self.outcomes})
        widths = [max(len(name), 6) + 2 for name in names]
        first = max([len(kind) for kind in kinds], default=0) + 2
        cells = zip(names, widths, strict=True)
        print(" " * first + "".join(f"{name:>{w}}" for name, w in cells))
        for kind in kinds:
            cells = zip(names, widths, strict=True)
            counts = (f"{self.outcomes[kind, n]:{w}}" for n, w in cells)
            print(f"{kind:{first}}" + "".join(counts))
        print(
            f"{sum(self.outcomes.values()):,} attacks in "
            f"{self._minutes:.1f} minutes, seed {self._config.seed}: "
            f"{len(self.failures)} did not hold."
        )
        return int(bool(self.failures))


def finish(tally: Tally) -> None:
    """Reports, and exits with 1 if something did not hold."""
    status = tally.report()
    sys.stdout.flush()
    if status:
        sys.exit(status)
