"""Kills commands at random moments, and runs them again.

Preparation, training of a model that counts and of one that learns, export,
promotion and lists are done once undisturbed, which tells how long each takes.
Then each is begun anew, killed by SIGKILL at a moment drawn from that time,
and run again. The second run must end with the same data, numbers, weights,
answers or lists, bit for bit, and leave no other file in the folders and in
the temporary directory.

    python -m tests.chaos kills --count=40 --minutes=20
    python -m tests.chaos kills --stages=prepare,export --count=100 --seed=7
"""

import dataclasses
import random
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from tests import commands
from tests.chaos.config import AttackConfig, Tally, finish
from tfrec import cli, settings
from tfrec.settings import setting

_STAGES = ("prepare", "markov", "acvae", "export", "promote", "lists")


@dataclasses.dataclass(frozen=True)
class KillsConfig(AttackConfig):
    """What is killed, how often."""

    count: int = 40
    stages: tuple[str, ...] = setting(
        _STAGES, "What is killed, in turn.", choices=_STAGES
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
    stages.write_log(base / "log.csv")
    wanted, seconds, files = {}, {}, {}
    # What commands are forked from starts with the first.
    commands.run("tfrec", "--version")
    for name in _needed(config.stages):
        began = time.monotonic()
        result = stages.start(name, base, base / name).result()
        seconds[name] = time.monotonic() - began
        if result.returncode:
            tally.failed(name, f"undisturbed: {result.stderr[-2000:]}")
            return tally
        print(f"{name}: {seconds[name]:.1f} s undisturbed", flush=True)
        wanted[name] = stages.STAGES[name].outcome(base, base / name)
        files[name] = stages.listing(base / name)
    for number in tally.numbers():
        name = config.stages[number % len(config.stages)]
        work = folder / "work"
        for _ in range(1 + (rng.random() < config.twice)):
            command = stages.start(name, base, work)
            time.sleep(rng.uniform(0, seconds[name]))
            killed = command.running()
            command.kill()
            command.result()
        result = stages.start(name, base, work).result()
        said = "killed" if killed else "had ended"
        _judge(tally, name, said, result, work, wanted[name], files[name], base)
        shutil.rmtree(work)
    return tally


def _needed(names: tuple[str, ...]) -> list[str]:
    """Returns the stages that must be done for some to be killed."""
    needed = {"prepare", *names}
    if needed & {"export", "promote", "lists"}:
        needed.add("markov")
    return [name for name in _STAGES if name in needed]


def _judge(
    tally: Tally,
    name: str,
    said: str,
    result: Any,
    work: Path,
    wanted: dict[str, Any],
    files: list[str],
    base: Path,
) -> None:
    from tests.chaos import stages

    if result.returncode:
        tally.failed(name, f"run again: {result.stderr[-2000:]}")
        return
    found = stages.STAGES[name].outcome(base, work)
    differing = [key for key in wanted if found.get(key) != wanted[key]]
    # A version that was whole when it was killed is one more.
    left = set(stages.listing(work)) ^ set(files)
    if differing:
        tally.failed(name, f"differs in {', '.join(differing)}")
    elif left:
        tally.failed(name, f"more or less files: {', '.join(sorted(left))}")
    else:
        tally.held(name, said)


def run() -> None:
    """Runs the command."""
    cli.run(main, KillsConfig)


if __name__ == "__main__":
    run()
