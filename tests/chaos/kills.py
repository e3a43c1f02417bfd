"""Kills commands at random moments, and runs them again.

Preparation by DuckDB and by Spark, training of a model that counts and of one
of each family that learns, export, promotion and lists are done once
undisturbed, which tells how long each takes. Then each is begun anew, killed by
SIGKILL at a moment drawn from that time, and run again. The second run must end
with the same data, numbers, weights, answers or lists, bit for bit, and leave
no other file in the folders and in the temporary directory.

    python -m tests.chaos kills --count=40 --minutes=20
    python -m tests.chaos kills --stages=prepare,export --count=100 --seed=7
"""

import dataclasses
import random
import shutil
import tempfile
import time
from pathlib import Path

from tests.chaos.config import AttackConfig, Tally, finish
from tests.chaos.reference import NAMES, judge, undisturbed
from tfrec import cli, settings
from tfrec.settings import setting


@dataclasses.dataclass(frozen=True)
class KillsConfig(AttackConfig):
    """What is killed, how often."""

    count: int = 40
    stages: tuple[str, ...] = setting(
        NAMES, "What is killed, in turn.", choices=NAMES
    )
    twice: float = setting(
        0.25,
        "Share of the attacks in which the second run is killed too.",
        minimum=0,
        maximum=1,
    )


def main() -> None:
    """Kills as the flags say and prints what came of it."""
    config = settings.from_flags(KillsConfig)
    with tempfile.TemporaryDirectory() as folder:
        tally = attack(config, Path(folder))
    finish(tally)


def attack(config: KillsConfig, folder: Path) -> Tally:
    """Kills and compares.

    Args:
        config: How often.
        folder: Where all is done.
    """
    from tests.chaos import stages

    rng, tally = random.Random(config.seed), Tally(config)
    base = folder / "base"
    references = undisturbed(config.stages, base, tally)
    if not references:
        return tally
    for number in tally.numbers():
        name = config.stages[number % len(config.stages)]
        work = folder / "work"
        for _ in range(1 + (rng.random() < config.twice)):
            command = stages.start(name, base, work)
            time.sleep(rng.uniform(0, references[name].seconds))
            killed = command.running()
            command.kill()
            command.result()
        result = stages.start(name, base, work).result()
        said = "killed" if killed else "had ended"
        judge(tally, name, said, result, work, references[name], base)
        shutil.rmtree(work)
    return tally


def run() -> None:
    """Runs the command."""
    cli.run(main, KillsConfig)


if __name__ == "__main__":
    run()
