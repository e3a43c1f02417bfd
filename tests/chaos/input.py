"""Feeds preparation with mutated files, and commands with mutated flags.

Each attack changes a few bytes of a small raw log, of every format in turn, or
a few flags of a command. It must end with a prepared dataset, or with one line
that names the file, its line or the flag: without a trace, in seconds, within
bounds of memory. Flags of `prepare` are carried out; those of other commands
are read and checked, as they are before the work begins.

    python -m tests.chaos input --count=3000 --flag_sets=1000
"""

import contextlib
import dataclasses
import importlib
import io
import os
import random
import re
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from absl import flags

from tests import raw_logs
from tests.chaos import mutations
from tests.chaos.config import AttackConfig, Tally, finish
from tests.chaos.isolation import Outcome, isolated
from tfrec import cli, settings
from tfrec.settings import setting

FORMATS = (
    *("clicks", "messy", "future", "parquet", "movielens", "yelp"),
    *("sessions", "yoochoose"),
)
# Those whose settings can be read without anything being there.
COMMANDS = ("train", "recommend", "export", "promote", "serve", "evaluate")
# What a message is to name.
_NAMED = re.compile(r"--\w|line \d|row \d|\.\w{2,7}\b|[Nn]o interactions|flag")
_FLAGS = {
    "train": {"model": "gru4rec", "epochs": "3", "embedding_dim": "8"},
    "recommend": {"run_dir": "x", "history": "a,b", "k": "5"},
    "export": {"run_dir": "x", "k": "5", "version": "7"},
    "promote": {"candidate": "x", "metric": "ndcg@10", "label": "canary"},
    "serve": {"rest_port": "0", "poll_seconds": "1"},
    "evaluate": {"run_dir": "x", "split": "test"},
}


@dataclasses.dataclass(frozen=True)
class InputConfig(AttackConfig):
    """What is mutated, how often, within what."""

    count: int = 3000
    flag_sets: int = setting(1000, "Number of mutated flag sets.", minimum=0)
    formats: tuple[str, ...] = setting(
        FORMATS, "Formats of the raw files.", choices=FORMATS
    )
    seconds: float = setting(120.0, "Most that one may take.", above=0)
    megabytes: float = setting(
        600.0, "Most that the memory of a process may grow by.", above=0
    )


class Case(NamedTuple):
    """An attack.

    Attributes:
        kind: What is attacked.
        seed: Of what is changed.
        folder: Where it may write.
        raw: By format, the settings and the files.
    """

    kind: str
    seed: str
    folder: Path
    raw: dict[str, tuple[dict[str, Any], dict[str, bytes]]]


def main() -> None:
    """Attacks as the flags say and prints what came of it."""
    config = settings.from_flags(InputConfig)
    with tempfile.TemporaryDirectory() as folder:
        tally = attack(config, Path(folder))
    finish(tally)


def attack(config: InputConfig, folder: Path) -> Tally:
    """Mutates files, then flags.

    Args:
        config: How often.
        folder: Where all is done.
    """
    # Here, once, and not in each process that is forked.
    importlib.import_module("tfrec.prepare")
    importlib.import_module("tfrec.data.preparation")
    tally, raw = Tally(config), {}
    for name in config.formats:
        place = folder / name
        given = getattr(raw_logs, f"write_{name}")(place)
        files = {path.name: path.read_bytes() for path in place.iterdir()}
        given["raw_dir"] = given["raw_dir"].removeprefix(str(place))
        raw[name] = given, files

    def judge(outcomes: Iterator[Outcome]) -> None:
        for outcome in outcomes:
            kind, seed, *_ = outcome.case
            if outcome.failure:
                tally.failed(kind, f"{seed}: {outcome.failure[-3000:]}")
            else:
                tally.held(kind, outcome.said)

    def cases(kinds, count, what) -> Iterator[Case]:
        for number in tally.numbers(count):
            kind = kinds[number % len(kinds)]
            seed = f"{config.seed}.{what}.{number}"
            yield Case(kind, seed, folder / "work", raw)

    limits = config.seconds, config.megabytes
    files = cases(config.formats, config.count, "file")
    judge(isolated(prepare_mutated, files, *limits, batch=50))
    sets = cases(("prepare", *COMMANDS), config.flag_sets, "flags")
    # absl keeps its flags for the process: one in each.
    judge(isolated(read_mutated, sets, *limits, batch=1))
    return tally


def prepare_mutated(case: Case) -> str:
    """Prepares a log with a mutated file; returns what came of it.

    Raises:
        AssertionError: If the message is not one line that names something.
    """
    from tfrec.data import DataConfig, prepare
    from tfrec.errors import InputError

    rng = random.Random(case.seed)
    given, files = case.raw[case.kind]
    with _written(case.folder, files) as raw:
        path = raw / rng.choice(sorted(files))
        path.write_bytes(
            mutations.mutate_file(rng, path.name, path.read_bytes())
        )
        changed = {
            "raw_dir": f"{raw}{given['raw_dir']}",
            "data_dir": str(case.folder / "data"),
            "threads": 1,
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                prepare(DataConfig(**given | changed))
            except InputError as error:
                _check(str(error))
                return "told"
            finally:
                _check_left(case.folder)
    return "prepared"


def read_mutated(case: Case) -> str:
    """Runs a command with mutated flags; returns what came of it.

    Raises:
        AssertionError: If what it prints is not one line that names something.
    """
    rng = random.Random(case.seed)
    module = importlib.import_module(f"tfrec.{case.kind}")
    given, files = case.raw[rng.choice(sorted(case.raw))]
    with _written(case.folder, files) as raw:
        given_flags = dict(_FLAGS.get(case.kind, {}))
        if case.kind == "prepare":
            given_flags = {k: str(v).lower() for k, v in given.items()} | {
                "raw_dir": f"{raw}{given['raw_dir']}",
                "data_dir": str(case.folder / "data"),
                "threads": "1",
            }
        texts = mutations.mutate_flags(rng, given_flags, _known(module))
        # Relative paths, and what has none, lie here.
        os.chdir(case.folder)
        return _run(case.kind, module, texts)


def _run(kind: str, module: Any, given: list[str]) -> str:
    run, errors = cli.run, io.StringIO()
    # Those of this command, where it was given them.
    ours = [f.name for f in settings.flag_fields(InputConfig)]
    flags.FLAGS.remove_flag_values([n for n in ours if n in flags.FLAGS])
    if kind != "prepare":
        # The rest needs what is not there.
        cli.run = _reading(module)
    sys.argv = [f"tfrec {kind}", *given]
    try:
        with (
            contextlib.redirect_stderr(errors),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            module.run()
        raise AssertionError("It did not exit.")
    except SystemExit as end:
        status = end.code or 0
    except Exception as error:
        raise AssertionError(f"tfrec {kind} {given}") from error
    finally:
        cli.run = run
    lines = [
        line
        for line in errors.getvalue().splitlines()
        if not line.startswith("warning: ")
    ]
    if not status:
        assert not lines, (given, lines)
        return "done"
    assert len(lines) == 1, (given, lines)
    assert lines[0].startswith("error: "), (given, lines)
    _check(lines[0])
    return "told"


def _reading(module: Any) -> Callable[..., None]:
    """Returns a `cli.run` that reads the settings, and does no more."""
    run = cli.run

    def read(main, *configs, **options):
        def read_all():
            if hasattr(module, "read_settings"):
                module.read_settings()
                return
            for config in configs:
                settings.from_flags(config)

        read_all.__module__ = module.__name__
        run(read_all, *configs, **options)

    return read


def _known(module: Any) -> list[str]:
    """Returns the names of the flags of a command."""
    found = []

    def note(main, *configs, models=None, **options):
        more = [entry.config_class for entry in (models or {}).values()]
        for config in (*configs, *more):
            found.extend(f.name for f in settings.flag_fields(config))

    run, cli.run = cli.run, note
    try:
        module.run()
    finally:
        cli.run = run
    return sorted(set(found))


@contextlib.contextmanager
def _written(folder: Path, files: dict[str, bytes]) -> Iterator[Path]:
    """Writes raw files into a new folder below another."""
    shutil.rmtree(folder, ignore_errors=True)
    raw = folder / "raw"
    raw.mkdir(parents=True)
    for name, content in files.items():
        (raw / name).write_bytes(content)
    yield raw


def _check(message: str) -> None:
    assert len(message.splitlines()) == 1, message
    assert _NAMED.search(message), message
    # Of a line of 100,000 letters only some are shown.
    assert len(message) < 3000, message[:3000]


def _check_left(folder: Path) -> None:
    left = {path.name for path in folder.iterdir()} - {"raw", "data"}
    assert not left, left


def run() -> None:
    """Runs the command."""
    cli.run(main, InputConfig)


if __name__ == "__main__":
    run()
