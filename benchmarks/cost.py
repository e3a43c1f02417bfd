"""What training would cost: a model fitted to measured steps.

    python -m benchmarks.cost
    python -m benchmarks.cost --interactions=1e8 --items=1e6 --workers=1,4

Prints how well the model repeats `benchmarks.catalogue`, and what it says of an
epoch of VASER with the sampled softmax on other data and more machines like the
one that was measured. docs/scaling.md has the result.

A step over n positions, with an item dimension d, of N items or S samples:

    full     s + n c + 6 n d N h + d N o    seconds
    sampled  s + n c + 6 n d S h            seconds

s: whatever the step; c: all but the softmax, for a position; h: a
floating-point operation of the softmax's three products; o: what the optimizer
does to a number of the tables. Memory is a constant and some bytes for each
item. Workers exchange gradients: those of the shared weights, and the rows of
the tables that any of them read.
"""

from tfrec import cli, settings

# isort: split
import dataclasses
from typing import NamedTuple

import numpy as np

from tfrec.models import VASERConfig
from tfrec.settings import Settings, setting


class Step(NamedTuple):
    """A measured step: `benchmarks.catalogue --batch_size=32` and 128."""

    positions: int
    items: int
    samples: int
    seconds: float
    gigabytes: float


# VASER's default sizes, sessions of 20 items, two threads. 0 samples: full.
MEASURED = (
    Step(608, 3_500, 0, 0.027, 0.87),
    Step(608, 3_500, 1000, 0.023, 0.87),
    Step(608, 30_000, 0, 0.092, 0.98),
    Step(608, 30_000, 1000, 0.024, 0.91),
    Step(608, 300_000, 0, 0.758, 2.03),
    Step(608, 300_000, 1000, 0.023, 1.14),
    Step(608, 1_000_000, 0, 2.507, 4.90),
    Step(608, 1_000_000, 1000, 0.025, 1.62),
    Step(2_432, 3_500, 0, 0.069, 0.90),
    Step(2_432, 3_500, 1000, 0.054, 0.91),
    Step(2_432, 30_000, 0, 0.241, 1.04),
    Step(2_432, 30_000, 1000, 0.058, 0.93),
    Step(2_432, 300_000, 0, 2.515, 2.16),
    Step(2_432, 300_000, 1000, 0.060, 1.14),
    Step(2_432, 1_000_000, 0, 8.499, 4.90),
    Step(2_432, 1_000_000, 1000, 0.062, 1.63),
)
# Items that a process reads in a second: `python -m benchmarks.pipeline`.
READ_PER_SECOND = 1.3e7
# Numbers of the weights that are not the items': GRU, attention, posterior
# with 16 flows, decoder.
SHARED_WEIGHTS = 99_000


@dataclasses.dataclass(frozen=True)
class CostConfig(Settings):
    """What is asked."""

    interactions: float = setting(1e9, "Interactions of an epoch.", above=0.0)
    items: float = setting(1e7, "Items of the catalogue.", above=0.0)
    samples: int = setting(1000, "`--negatives`.", minimum=1)
    positions: int = setting(
        1216, "Positions that a worker takes in a step.", minimum=1
    )
    workers: tuple[int, ...] = setting((1, 8, 64), "Machines.", minimum=1)
    gigabits: float = setting(
        10.0, "Gigabits a second between machines.", above=0.0
    )


class Cost(NamedTuple):
    """The fitted model.

    Attributes:
        start: s, seconds.
        position: c, seconds.
        operation: h, seconds.
        update: o, seconds.
        constant: Gigabytes of a process without items.
        per_item: Gigabytes for each item; with the full softmax, the sampled.
    """

    start: float
    position: float
    operation: float
    update: float
    constant: float
    per_item: tuple[float, float]

    def seconds(self, positions: float, items: float, samples: int) -> float:
        """Returns the time of a step; 0 samples: of the full softmax."""
        return float(np.dot(_terms(positions, items, samples), self[:4]))

    def gigabytes(self, items: float, samples: int) -> float:
        """Returns the memory of a process."""
        return self.constant + items * self.per_item[samples > 0]


def _terms(positions: float, items: float, samples: int) -> list[float]:
    dim = VASERConfig().embedding_dim
    return [
        1.0,
        positions,
        6 * positions * dim * (samples or items),
        0.0 if samples else dim * items,
    ]


def fit(steps: tuple[Step, ...]) -> Cost:
    """Fits the model so that relative errors are small."""
    seconds = np.array([step.seconds for step in steps])
    terms = np.array([_terms(*step[:3]) for step in steps]) / seconds[:, None]
    scale = terms.max(0)
    times = np.linalg.lstsq(terms / scale, np.ones(len(steps)))[0] / scale
    memory = np.array([step.gigabytes for step in steps])
    rows = np.array(
        [
            [1, 0 if step.samples else step.items, step.samples and step.items]
            for step in steps
        ]
    )
    constant, *per_item = np.linalg.lstsq(
        rows / memory[:, None], np.ones(len(steps))
    )[0]
    return Cost(*times, constant, tuple(per_item))


def epoch(cost: Cost, config: CostConfig, workers: int) -> dict[str, float]:
    """Returns the hours of an epoch's parts, by name."""
    steps = config.interactions / config.positions / workers
    step = cost.seconds(config.positions, config.items, config.samples)
    # Every worker gets the rows of all, each with its number: those it looked
    # up and those of its sample and targets.
    dim = VASERConfig().embedding_dim
    rows = workers * (2 * config.positions + config.samples)
    sent = 0 if workers == 1 else 4 * (rows * (dim + 2) + 2 * SHARED_WEIGHTS)
    return {
        "compute": steps * step / 3600,
        "exchange": steps * sent * 8 / config.gigabits / 1e9 / 3600,
        "read": config.interactions / READ_PER_SECOND / workers / 3600,
    }


def main() -> None:
    """Prints the fit and what it says."""
    config = settings.from_flags(CostConfig)
    cost = fit(MEASURED)
    print(
        f"a step {1e3 * cost.start:.0f} ms, a position "
        f"{1e6 * cost.position:.0f} us, the softmax "
        f"{1e-9 / cost.operation:.0f} GFLOP/s, a number of the tables "
        f"{1e9 * cost.update:.1f} ns;\n{cost.constant:.2f} GB, an item "
        f"{1e6 * cost.per_item[0]:.1f} KB full, "
        f"{1e6 * cost.per_item[1]:.1f} KB sampled\n\n"
        f"{'items':>9}{'positions':>11}{'softmax':>9}{'measured':>18}"
        f"{'model':>18}"
    )
    for step in MEASURED:
        print(
            f"{step.items:9,}{step.positions:11,}"
            f"{'sampled' if step.samples else 'full':>9}"
            f"{step.seconds:9.3f} s{step.gigabytes:5.1f} GB"
            f"{cost.seconds(*step[:3]):9.3f} s"
            f"{cost.gigabytes(step.items, step.samples):5.1f} GB"
        )
    print(
        f"\n{config.interactions:,.0f} interactions, "
        f"{config.items:,.0f} items, "
        f"{cost.gigabytes(config.items, config.samples):.1f} GB a process\n\n"
        f"{'workers':>9}{'compute h':>11}{'exchange h':>12}{'read h':>9}"
    )
    for workers in config.workers:
        hours = epoch(cost, config, workers)
        print(
            f"{workers:9}{hours['compute']:11.1f}{hours['exchange']:12.1f}"
            f"{hours['read']:9.2f}"
        )
    full = config.interactions / config.positions
    full *= cost.seconds(config.positions, config.items, 0) / 3600
    print(
        f"\nfull softmax, one worker: {full:,.0f} h, "
        f"{cost.gigabytes(config.items, 0):,.0f} GB"
    )


if __name__ == "__main__":
    cli.run(main, CostConfig)
