"""Variational sequential recommendation: trains, measures and serves.

A raw log becomes a prepared dataset, a run trains a model on it, and an export
of the run is what a server serves:

    tfrec train --dataset=ml-latest-small --run_dir=runs/first
    tfrec evaluate --run_dir=runs/first
    tfrec recommend --run_dir=runs/first --history=1193,661,914
    tfrec export --run_dir=runs/first
    tfrec serve

`python -m tfrec.train` and so on are the same commands.
"""

import importlib
import sys

import tfrec
from tfrec import cli
from tfrec.data.datasets import DATASETS
from tfrec.errors import nearest_names
from tfrec.help_text import table
from tfrec.models import MODELS

# Modules of the package.
_COMMANDS = (
    "prepare",
    "train",
    "evaluate",
    "compare",
    "tune",
    "reproduce",
    "report",
    "explore",
    "recommend",
    "export",
    "promote",
    "serve",
    "watch",
)
_LISTS = {
    "models": (
        "Lists the models.",
        MODELS,
        "`tfrec train --model=NAME --help` shows the settings of one.",
    ),
    "datasets": (
        "Lists the datasets.",
        DATASETS,
        "`tfrec prepare --help` shows their settings: --dataset=NAME.",
    ),
}


def main() -> None:
    """Runs the command that the first argument names."""
    name, *rest = sys.argv[1:] or ["--help"]
    if name in _COMMANDS:
        # What the command parses.
        sys.argv[:2] = [f"tfrec {name}"]
        importlib.import_module(f"tfrec.{name}").run()
    elif name in (*_LISTS, "--version") and not cli.HELP.issuperset(rest):
        sys.exit(
            cli.fail(f"`tfrec {name}` takes nothing more. Received: {rest[0]}.")
        )
    elif name in _LISTS:
        _, entries, advice = _LISTS[name]
        cli.show(f"{table(entries.values())}\n\n{advice}")
    elif name == "--version":
        print(f"tfrec {tfrec.__version__}")
    elif name in cli.HELP:
        cli.show(_help())
    else:
        hint = nearest_names(name, [*_COMMANDS, *_LISTS])
        sys.exit(
            cli.fail(f"Unknown command `{name}`.{hint} See `tfrec --help`.")
        )


def _help() -> str:
    about = {
        name: importlib.import_module(f"tfrec.{name}").__doc__.splitlines()[0]
        for name in _COMMANDS
    }
    about |= {name: text for name, (text, _, _) in _LISTS.items()}
    commands = "\n".join(f"  {name:9}  {text}" for name, text in about.items())
    return (
        f"{__doc__.strip()}\n\nCommands:\n\n{commands}\n\n"
        "`tfrec COMMAND --help` shows the settings of one. `tfrec --version` "
        "says which\nversion this is."
    )


if __name__ == "__main__":
    main()
