"""Commands on disks that are full or read-only, and then on one that is not.

Preparation by DuckDB and by Spark, training of a model that counts and of one
of each family that learns, export, promotion and lists are done once
undisturbed. Then each is begun anew on a small disk of its own, in memory, with
its temporary directory: of a size that is drawn up to what it needed, so that
any write may be the first that fails; or read-only. It must end with one line
that names a file of that disk. After that the disk has room, and the same
command must end as undisturbed, with no other file left.

    python -m tests.chaos disk --count=60 --minutes=30
    python -m tests.chaos disk --stages=export --count=20 --seed=7

It mounts the disks (tmpfs), so it needs Linux and the right to do so.
"""

import contextlib
import dataclasses
import os
import random
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.chaos.config import AttackConfig, Tally, finish
from tests.chaos.reference import NAMES, judge, undisturbed
from tfrec import cli, settings
from tfrec.errors import InputError
from tfrec.settings import setting

# Bytes of a disk that has room, and of a page, the least that a file takes.
_ROOM, _PAGE = 2**30, 4096
_READ_ONLY = "read-only"
# Warnings, and what TensorFlow's C++ logs, whatever the disk is like.
_ASIDE = re.compile(r"warning: |E[0-9]{4} [0-9:.]+ ")


@dataclasses.dataclass(frozen=True)
class DiskConfig(AttackConfig):
    """What is run, how often."""

    count: int = 60
    stages: tuple[str, ...] = setting(
        NAMES, "What is run, in turn.", choices=NAMES
    )
    read_only: float = setting(
        0.2,
        "Share of the attacks in which the disk is read-only.",
        minimum=0,
        maximum=1,
    )


def main() -> None:
    """Attacks as the flags say and prints what came of it."""
    config = settings.from_flags(DiskConfig)
    with tempfile.TemporaryDirectory() as folder:
        tally = attack(config, Path(folder))
    finish(tally)


def attack(config: DiskConfig, folder: Path) -> Tally:
    """Runs commands on bad disks, then on good ones, and compares.

    Args:
        config: How often.
        folder: Where all is done.

    Raises:
        InputError: If no disk can be mounted.
    """
    from tests.chaos import stages

    rng, tally = random.Random(config.seed), Tally(config)
    base, work = folder / "base", folder / "work"
    with disk(work):
        pass  # It can be mounted, or else that is said at once.
    references = undisturbed(config.stages, base, tally)
    if not references:
        return tally
    needed = {name: _most_used(name, base, work) for name in config.stages}
    for number in tally.numbers():
        name = config.stages[number % len(config.stages)]
        with disk(work) as change:
            (work / "tmp").mkdir()
            if rng.random() < config.read_only:
                option = said = _READ_ONLY
                change("ro")
            else:
                pages = rng.randint(2, needed[name] // _PAGE)
                option, said = f"{pages} pages", "full"
                change(f"size={pages * _PAGE}")
            first = stages.start(name, base, work).result()
            change(f"rw,size={_ROOM}")
            if first.returncode:
                wrong = complaint(first.stderr, work)
            else:
                wrong, said = "", "had room"
                if option == _READ_ONLY:
                    wrong = "it ended well, on a disk that is read-only"
            if wrong:
                tally.failed(name, f"{option}: {wrong}")
                continue
            result = stages.start(name, base, work).result()
            judge(tally, name, said, result, work, references[name], base)
    return tally


@contextlib.contextmanager
def disk(place: Path) -> Iterator:
    """Mounts a disk in memory.

    Args:
        place: A folder, which is made.

    Yields:
        A function that mounts it again with other options.

    Raises:
        InputError: If that is not allowed.
    """

    def mount(*arguments: str) -> None:
        result = subprocess.run(
            ["mount", *arguments, str(place)], capture_output=True, text=True
        )
        if result.returncode:
            raise InputError(
                f"Cannot mount {place}: {result.stderr.strip()} `disk` must "
                "be run where disks can be mounted, as root."
            )

    place.mkdir(exist_ok=True)
    mount("-t", "tmpfs", "-o", f"size={_ROOM}", "tmpfs")
    try:
        yield lambda options: mount("-o", f"remount,{options}")
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def _most_used(name: str, base: Path, work: Path) -> int:
    """Returns how many bytes a stage had on its disk at a time, about."""
    from tests.chaos import stages

    most = 0
    with disk(work):
        command = stages.start(name, base, work)
        while command.running():
            found = os.statvfs(work)
            used = (found.f_blocks - found.f_bfree) * found.f_frsize
            most = max(most, used)
            time.sleep(0.005)
        command.result()
    print(f"{name}: {most:,} bytes at a time", flush=True)
    return most


def complaint(text: str, work: Path) -> str:
    """Returns what is wrong with an error; "" if it is as it must be.

    Args:
        text: What the command wrote to its standard error.
        work: The folder of which a file must be named.
    """
    lines = [each for each in text.splitlines() if each.strip()]
    lines = [each for each in lines if not _ASIDE.match(each)]
    if len(lines) == 1 and lines[0].startswith("error:"):
        return "" if str(work) in lines[0] else f"names no file: {lines[0]}"
    return f"not one line: {text[-3000:]}"


def run() -> None:
    """Runs the command."""
    cli.run(main, DiskConfig)


if __name__ == "__main__":
    run()
