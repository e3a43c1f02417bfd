"""Stages that nothing disturbed, and whether another run ended as they did."""

import time
from pathlib import Path
from typing import Any, NamedTuple

from tests import commands
from tests.chaos.config import Tally

NAMES = (
    *("prepare", "spark", "markov", "acvae", "vaser", "gru4rec", "sasrec"),
    *("multvae", "cfgan", "export", "promote", "lists"),
)


class Reference(NamedTuple):
    """A stage that was done once, undisturbed.

    Attributes:
        seconds: What it took.
        wanted: What must be the same, by name.
        files: What is in its folder.
    """

    seconds: float
    wanted: dict[str, Any]
    files: list[str]


def undisturbed(
    names: tuple[str, ...], base: Path, tally: Tally
) -> dict[str, Reference]:
    """Does stages once, with those that they need.

    Args:
        names: Of the stages.
        base: Folder of all stages.
        tally: Is told what fails.

    Returns:
        By name what came of them; nothing if one failed.
    """
    from tests.chaos import stages

    stages.write_log(base / "log.csv")
    # What commands are forked from starts with the first.
    commands.run("tfrec", "--version")
    found = {}
    for name in _needed(names):
        began = time.monotonic()
        result = stages.start(name, base, base / name).result()
        seconds = time.monotonic() - began
        if result.returncode:
            tally.failed(name, f"undisturbed: {result.stderr[-2000:]}")
            return {}
        print(f"{name}: {seconds:.1f} s undisturbed", flush=True)
        found[name] = Reference(
            seconds,
            stages.STAGES[name].outcome(base, base / name),
            stages.listing(base / name),
        )
    return found


def _needed(names: tuple[str, ...]) -> list[str]:
    """Returns the stages that must be done for some to be disturbed."""
    needed = {"prepare", *names}
    if needed & {"export", "promote", "lists"}:
        needed.add("markov")
    return [name for name in NAMES if name in needed]


def judge(
    tally: Tally,
    name: str,
    said: str,
    result: Any,
    work: Path,
    reference: Reference,
    base: Path,
) -> None:
    """Compares what a stage ended with, at last, with one undisturbed.

    Args:
        tally: Is told what did not hold, or that it held.
        name: Of the stage.
        said: What was done to it, for the table.
        result: Of the last run of the command.
        work: Its folder.
        reference: The undisturbed one.
        base: Folder of all stages.
    """
    from tests.chaos import stages

    if result.returncode:
        tally.failed(name, f"run again: {result.stderr[-2000:]}")
        return
    found = stages.STAGES[name].outcome(base, work)
    wanted = reference.wanted
    differing = [key for key in wanted if found.get(key) != wanted[key]]
    # A version that was whole when it was disturbed is one more.
    left = set(stages.listing(work)) ^ set(reference.files)
    if differing:
        tally.failed(name, f"differs in {', '.join(differing)}")
    elif left:
        tally.failed(name, f"more or less files: {', '.join(sorted(left))}")
    else:
        tally.held(name, said)
