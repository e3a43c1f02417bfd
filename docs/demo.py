"""Records `make demo` into README.md, shortened.

    python -m docs.demo

Runs the commands of `make demo` with the Python that runs this, in a new
folder, and writes what they print between the two marks in README.md. It takes
some minutes on two cores. The times are those of this machine.
"""

import dataclasses
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tfrec import cli, settings
from tfrec.errors import InputError
from tfrec.settings import Settings, setting

BEGIN, END = "<!-- make demo -->\n", "<!-- end -->\n"
_CUT = "..."
# Where the Makefile has things if nobody says otherwise.
_USUAL = {
    "RUN_DIR": "runs/quickstart",
    "EXPORT_DIR": "export/models",
    "PY": ".venv/bin/python",
}
# The first items of each list.
_ITEMS = 2
_COMMAND = re.compile(r"\S+ -m tfrec\.")
_EPOCH = re.compile(r"Epoch [0-9]+/[0-9]+ - ")
_ITEM = re.compile(r" *[0-9]+ +-[0-9.]+  ")


@dataclasses.dataclass(frozen=True)
class DemoConfig(Settings):
    """What to record into."""

    readme: str = setting("README.md", "The file with the two marks.")


def main() -> None:
    """Records as the flags say."""
    config = settings.from_flags(DemoConfig)
    path = Path(config.readme)
    text = path.read_text(encoding="utf-8")
    recorded(text, "")  # Before minutes pass: has it the marks?
    path.write_text(recorded(text, shortened(run())), encoding="utf-8")
    print(f"Written: {path}")


def run() -> str:
    """Returns what `make demo` prints, without installing anything."""
    with tempfile.TemporaryDirectory() as folder:
        places = {
            "RUN_DIR": f"{folder}/run",
            "EXPORT_DIR": f"{folder}/models",
            "PY": sys.executable,
        }
        result = subprocess.run(
            [
                *("make", "--old-file=.venv/.core", "demo"),
                *(f"{name}={place}" for name, place in places.items()),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
    if result.returncode:
        raise InputError(f"make demo failed:\n{result.stdout}")
    log = result.stdout
    for name, place in places.items():
        log = log.replace(place, _USUAL[name])
    return log


def shortened(log: str) -> str:
    """Returns the lines of a log that tell what a reader wants to know.

    The commands, the first epoch and the last, the first items of each list,
    and all from the last command on. What is left out is `...`.

    Args:
        log: What `make demo` printed.
    """
    lines = log.splitlines()
    epochs = [line for line in lines if _EPOCH.match(line)]
    last = max(n for n, line in enumerate(lines) if _COMMAND.match(line))
    kept: list[str] = []
    items = 0
    for number, line in enumerate(lines):
        item, command = _ITEM.match(line), _COMMAND.match(line)
        items = 0 if command else items + bool(item)
        if (
            number >= last
            or command
            or line in (epochs[0], epochs[-1])
            or (item and items <= _ITEMS)
        ):
            kept.append(line.rstrip())
        elif kept[-1] != _CUT:
            kept.append(_CUT)
    return "\n".join(kept) + "\n"


def recorded(readme: str, text: str) -> str:
    """Returns a README with a text between its marks.

    Raises:
        InputError: If it has not both of them.
    """
    head, begin, rest = readme.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise InputError(
            f"`--readme` must have the lines {BEGIN.strip()} and "
            f"{END.strip()}, between which the demo stands."
        )
    return f"{head}{begin}```text\n$ make demo\n{text}```\n{end}{tail}"


if __name__ == "__main__":
    cli.run(main, DemoConfig)
