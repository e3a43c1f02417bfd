"""Attacks tfrec at random and says what did not hold; no part of the gate.

    # SIGKILLs at random moments; every rerun must end as if nothing was.
    python -m tests.chaos kills --count=40 --minutes=20

    # A flipped bit in any file.
    python -m tests.chaos flips --count=200

    # Full disks and read-only ones; then the same commands, with room.
    python -m tests.chaos disk --count=60

    # A line, a .gz and a Parquet file that are huge once they are read.
    python -m tests.chaos bombs

    # Mutated raw files and flags: a dataset, or one line that says what.
    python -m tests.chaos input --count=3000

The same --seed draws the same attacks. Exits with 1 if something did not hold.
"""

import importlib
import sys

from tfrec import cli
from tfrec.errors import nearest_names

# Modules of this package.
ATTACKS = ("kills", "flips", "input", "disk", "bombs")


def main() -> None:
    """Runs the attack that the first argument names."""
    name, *_ = sys.argv[1:] or ["--help"]
    if name in cli.HELP:
        cli.show(__doc__.strip())
    elif name in ATTACKS:
        sys.argv[:2] = [f"{sys.argv[0]} {name}"]
        importlib.import_module(f"tests.chaos.{name}").run()
    else:
        hint = nearest_names(name, ATTACKS)
        sys.exit(cli.fail(f"Unknown attack `{name}`.{hint} See --help."))


if __name__ == "__main__":
    main()
