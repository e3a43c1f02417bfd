"""The stages from a raw log to lists: commands, and what they end with.

Each has a folder of its own, so that it can be done again from what the stages
before left, which stays as it is.
"""

import hashlib
import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tests.commands import Command
from tfrec.data.manifest import FILE_NAME as MANIFEST
from tfrec.integrity import file_checksum
from tfrec.serving.model_config_file import FILE_NAME as MODELS
from tfrec.serving.model_configs import version_folders
from tfrec.serving.servable import Servable
from tfrec.training.checkpoints import selected_checkpoint
from tfrec.training.files import read_json

_ITEMS = 50
_LEARNED = (
    "--epochs=2",
    "--batch_size=512",
    "--seed=3",
    "--deterministic",
    "--checkpoint_minutes=0",
)
_SMALL = (
    "--embedding_dim=8",
    "--gru_units=8",
    "--convolution_filters=8",
    "--latent_dim=4",
    "--decoder_units=8",
    "--critic_units=8",
)
# What differs in each run: versions are times, saves are numbered.
_VARYING = re.compile(r"\d{14}|(?<=checkpoint-)\d+")


class Stage(NamedTuple):
    """A command.

    Attributes:
        module: What `python -m` is given.
        flags: Called with the folder of all stages and that of this one.
        outcome: Called with both; what must be the same, by name.
    """

    module: str
    flags: Callable[[Path, Path], list[str]]
    outcome: Callable[[Path, Path], dict[str, Any]]


def start(name: str, base: Path, folder: Path) -> Command:
    """Starts a stage.

    Args:
        name: Of the stage.
        base: Folder with what the stages before left.
        folder: Of this stage; `tmp` beside what it makes is its TMPDIR.
    """
    stage = STAGES[name]
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    return Command(
        stage.module, *stage.flags(base, folder), TMPDIR=str(folder / "tmp")
    )


def write_log(path: Path, users: int = 3000) -> None:
    """Writes a CSV file of users who go from item to item."""
    rng = random.Random(0)
    rows = ["sequence,item,timestamp"]
    for user in range(users):
        item = rng.randrange(_ITEMS)
        for time in range(rng.randrange(5, 12)):
            item = (item + rng.choice((1, 1, 2, 3, 7))) % _ITEMS
            rows.append(f"u{user},i{item},{time}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n")


def listing(folder: Path) -> list[str]:
    """Returns what is in the folder of a stage, TensorBoard's logs aside."""
    return sorted(
        _VARYING.sub("N", str(path.relative_to(folder)))
        for path in folder.rglob("*")
        if not path.name.startswith("events.out.tfevents")
    )


def _prepare(base: Path, folder: Path) -> list[str]:
    return [
        "--dataset=csv",
        f"--raw_dir={base / 'log.csv'}",
        f"--data_dir={folder / 'data'}",
        "--validation_fraction=0.3",
        "--rank_history",
    ]


def prepared(base: Path, folder: Path) -> dict[str, Any]:
    """Returns the checksums of a prepared dataset."""
    manifest = read_json(folder / "data" / MANIFEST)
    return {
        "data_checksum": manifest["data_checksum"],
        "counts": manifest["counts"],
        **{
            path.name: file_checksum(path)
            for path in (folder / "data").iterdir()
            if path.name != MANIFEST
        },
    }


def _train(model: str, *flags: str) -> Callable[[Path, Path], list[str]]:
    return lambda base, folder: [
        *_prepare(base, base / "prepare"),
        f"--model={model}",
        f"--run_dir={folder / 'run'}",
        *flags,
    ]


def trained(base: Path, folder: Path) -> dict[str, Any]:
    """Returns the numbers of a run, and its weights."""
    numbers = read_json(folder / "run" / "metrics.json")
    reader = tf.train.load_checkpoint(
        selected_checkpoint(folder / "run" / "checkpoints")
    )
    names = sorted(
        name
        for name in reader.get_variable_to_shape_map()
        if name.startswith("model")
    )
    weights = hashlib.sha256()
    for name in names:
        weights.update(name.encode())
        weights.update(np.asarray(reader.get_tensor(name)).tobytes())
    return {
        **{k: numbers[k] for k in ("metrics", "validation", "steps")},
        "weights": weights.hexdigest(),
    }


def exported(base: Path, folder: Path) -> dict[str, Any]:
    """Returns what the newest version answers, and what is served."""
    model = folder / "models" / "markov"
    versions = version_folders(model)
    text = (folder / "models" / MODELS).read_text()
    return {
        "answers": answers(model / str(max(versions))),
        "models": _VARYING.sub("N", text),
    }


def answers(version: Path) -> str:
    """Returns what a version answers to some histories, as JSON."""
    servable = Servable("markov", 1, version)
    try:
        signature = servable.signature("serving_default")
        found = []
        for item in range(0, _ITEMS, 7):
            history = [[f"i{item}", f"i{_ITEMS - item}"]]
            inputs = {"history": np.array(history, dtype=object)}
            outputs = servable.run(signature, inputs, set(signature.outputs))
            found.append([outputs[k].tolist() for k in sorted(outputs)])
    finally:
        servable.close()
    return json.dumps(found, default=bytes.decode)


def lists(base: Path, folder: Path) -> dict[str, Any]:
    """Returns the checksum of the lists."""
    return {"lists.csv": file_checksum(folder / "lists.csv")}


STAGES = {
    "prepare": Stage("tfrec.prepare", _prepare, prepared),
    "spark": Stage(
        "tfrec.prepare",
        lambda base, folder: [*_prepare(base, folder), "--engine=pyspark"],
        prepared,
    ),
    "markov": Stage("tfrec.train", _train("markov"), trained),
    "acvae": Stage("tfrec.train", _train("acvae", *_LEARNED, *_SMALL), trained),
    **{
        model: Stage("tfrec.train", _train(model, *_LEARNED), trained)
        for model in ("vaser", "gru4rec", "sasrec", "multvae", "cfgan")
    },
    "export": Stage(
        "tfrec.export",
        lambda base, folder: [
            f"--run_dir={base / 'markov' / 'run'}",
            f"--export_dir={folder / 'models'}",
        ],
        exported,
    ),
    "promote": Stage(
        "tfrec.promote",
        lambda base, folder: [
            f"--candidate={base / 'markov' / 'run'}",
            f"--export_dir={folder / 'models'}",
            "--label=stable",
            "--latency_requests=20",
        ],
        exported,
    ),
    "lists": Stage(
        "tfrec.recommend",
        lambda base, folder: [
            f"--run_dir={base / 'markov' / 'run'}",
            f"--output={folder / 'lists.csv'}",
        ],
        lists,
    ),
}
