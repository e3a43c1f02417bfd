"""Flips a bit at random places of what commands wrote, and reads it.

A dataset (shards, manifest, vocabularies), a run (configuration, checkpoints,
their records) and an exported version, each in turn. What is damaged must be
told by one line that names a file, or change nothing: the same sequences, the
same test numbers, the same answers.

    python -m tests.chaos flips --count=200
"""

import dataclasses
import hashlib
import random
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests import commands
from tests.chaos.config import AttackConfig, Tally, finish
from tests.chaos.isolation import isolated
from tfrec import cli, settings
from tfrec.errors import InputError
from tfrec.settings import setting

# By what is damaged, the stage that wrote it and its folder there.
_PLACES = {
    "dataset": ("prepare", "data"),
    "run": ("markov", "run"),
    "export": ("export", "models/markov"),
}
# Nothing reads these again: logs for people, and the numbers themselves.
_UNREAD = ("tensorboard", "epochs.csv", "metrics.json", ".lock", "ranks.npz")


@dataclasses.dataclass(frozen=True)
class FlipsConfig(AttackConfig):
    """What is damaged, how often."""

    count: int = 200
    places: tuple[str, ...] = setting(
        tuple(_PLACES), "What is damaged, in turn.", choices=tuple(_PLACES)
    )


class Case(NamedTuple):
    """An attack.

    Attributes:
        kind: What is damaged and read.
        base: Folder of the stages.
        folder: Where the damaged copy goes.
        wanted: What undamaged files give; "" if that is asked.
        seed: Of the place in the files.
    """

    kind: str
    base: Path
    folder: Path
    wanted: str
    seed: str


def main() -> None:
    """Flips as the flags say and prints what came of it."""
    config = settings.from_flags(FlipsConfig)
    with tempfile.TemporaryDirectory() as folder:
        tally = attack(config, Path(folder))
    finish(tally)


def attack(config: FlipsConfig, folder: Path) -> Tally:
    """Damages copies and reads them.

    Args:
        config: How often.
        folder: Where all is done.
    """
    from tests.chaos import stages

    base, tally = folder / "base", Tally(config)
    stages.write_log(base / "log.csv", 300)
    commands.run("tfrec", "--version")
    for name in ("prepare", "markov", "export"):
        result = stages.start(name, base, base / name).result()
        if result.returncode:
            tally.failed(name, f"undamaged: {result.stderr[-2000:]}")
            return tally
    whole = [
        Case(kind, base, folder / "copy", "", "") for kind in config.places
    ]
    # This process runs nothing of TensorFlow: it is forked.
    wanted = {o.case.kind: o for o in isolated(read, whole, 120, 4000, 1)}
    for kind, outcome in wanted.items():
        if outcome.failure:
            tally.failed(kind, f"undamaged: {outcome.failure[-2000:]}")
            return tally

    def cases() -> Iterator[Case]:
        for number in tally.numbers():
            kind = config.places[number % len(config.places)]
            seed = f"{config.seed}.{number}"
            said = wanted[kind].said
            yield Case(kind, base, folder / "copy", said, seed)

    for outcome in isolated(damage, cases(), 120, 4000, batch=20):
        kind, seed = outcome.case.kind, outcome.case.seed
        if outcome.failure:
            tally.failed(kind, f"{seed}: {outcome.failure[-3000:]}")
        else:
            tally.held(kind, outcome.said)
    return tally


def damage(case: Case) -> str:
    """Flips a bit in a copy; returns whether that was told or harmless.

    Raises:
        AssertionError: If the copy is read, and gives something else.
    """
    rng = random.Random(case.seed)
    stage, part = _PLACES[case.kind]
    source = case.base / stage / part
    copy = case.folder / part
    shutil.rmtree(case.folder, ignore_errors=True)
    shutil.copytree(source, copy)
    files = [
        path
        for path in sorted(copy.rglob("*"))
        if path.is_file()
        and path.stat().st_size
        and not set(_UNREAD).intersection(path.relative_to(copy).parts)
    ]
    path = rng.choice(files)
    content = bytearray(path.read_bytes())
    place = rng.randrange(len(content))
    content[place] ^= 1 << rng.randrange(8)
    path.write_bytes(content)
    try:
        found = _READERS[case.kind](copy, case.base)
    except InputError as error:
        assert str(copy) in str(error) or path.name in str(error), str(error)
        return "told"
    except Exception as error:
        raise AssertionError(f"{path}, byte {place}") from error
    assert found == case.wanted, f"{path}, byte {place}: other numbers"
    return "harmless"


def read(case: Case) -> str:
    """Returns what the undamaged files give."""
    stage, part = _PLACES[case.kind]
    return _READERS[case.kind](case.base / stage / part, case.base)


def read_dataset(folder: Path, base: Path) -> str:
    """Returns the checksum of all that a dataset gives to models."""
    import tensorflow as tf

    from tfrec.data import PreparedDataset
    from tfrec.training.run import explained

    data, digest = PreparedDataset.open(folder), hashlib.sha256()
    digest.update("\n".join(data.vocabulary.items).encode())
    digest.update("\n".join(data.users.items).encode())
    with warnings.catch_warnings(), explained(data):
        warnings.simplefilter("ignore")
        for batches in (
            data.training(batch_size=512, fit_on="all"),
            data.evaluation("validation"),
            data.evaluation("test"),
        ):
            for batch in batches:
                for tensor in tf.nest.flatten(batch):
                    digest.update(tf.io.serialize_tensor(tensor).numpy())
    return digest.hexdigest()


def read_run(folder: Path, base: Path) -> str:
    """Returns the test numbers of a run, evaluated again."""
    from tfrec.training import load_run

    run = load_run(folder, base / "prepare" / "data")
    return str(run.evaluate("test"))


def read_export(folder: Path, base: Path) -> str:
    """Returns the answers of the version in the folder of a model."""
    from tests.chaos import stages

    (version,) = folder.iterdir()
    return stages.answers(version)


_READERS: dict[str, Callable[[Path, Path], str]] = {
    "dataset": read_dataset,
    "run": read_run,
    "export": read_export,
}


def run() -> None:
    """Runs the command."""
    cli.run(main, FlipsConfig)


if __name__ == "__main__":
    run()
