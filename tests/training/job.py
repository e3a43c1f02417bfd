"""What a worker does in the tests of several; run as a program.

TF_CONFIG=... python -m tests.training.job FOLDER
"""

import contextlib
import dataclasses
import importlib.metadata
import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.toy import Toy, ToyConfig, entry, toy_data
from tests.training.fits import contrastive, fit, sampled, sequences, silence
from tfrec.data import PreparedDataset
from tfrec.data.manifest import data_checksum, file_checksums
from tfrec.errors import InputError
from tfrec.models import MODELS
from tfrec.models.base import vector_model
from tfrec.training import TrainingConfig, train
from tfrec.training.callbacks import Recorder
from tfrec.training.files import write_json
from tfrec.training.strategy import make_strategy
from tfrec.training.workers import Workers


def talk(folder, workers):
    """Returns what a worker hears."""
    heard = {
        "chief": workers.chief,
        "any": workers.any(False, workers.index == 1, True),
        "gather": workers.gather("né" * workers.index),
    }
    with contextlib.suppress(InputError), workers.agreeing():
        heard["agreed"] = True
    for index in range(2):
        try:
            with workers.agreeing():
                if workers.index == index:
                    raise InputError(f"{index} fails")
        except InputError as error:
            heard[f"error of {index}"] = str(error)
    original = folder / "original"
    if workers.chief:
        (original / "a" / "b").mkdir(parents=True)
        (original / "a" / "b" / "c").write_bytes(bytes(range(256)))
        (original / "a" / "empty").touch()
        (original / "d").write_text("d")
        (original / "not asked for").touch()
    with workers.copied(original, ["a", "d", "absent"]) as copy:
        heard["copied"] = {
            str(path.relative_to(copy)): list(path.read_bytes())
            for path in sorted(copy.rglob("*"))
            if path.is_file()
        }
        heard["own folder"] = copy == original
    heard["deleted"] = not copy.exists()
    return heard


def refused(data, config, model_config):
    """Returns what is said to workers that differ."""
    with pytest.raises(InputError) as error:
        train(data, config, model_config)
    return str(error.value)


def other_settings(data, config, index):
    """Differs in a setting of the training and in one of the model."""
    changed = dataclasses.replace(config, seed=index, verbose="none")
    return refused(data, changed, ToyConfig(max_length=10 - index))


def other_data(folder, config, index):
    """Differs in the sequences and in the name of an item."""
    data = toy_data(folder, seed=index)
    names = (folder / "items.txt").read_text()
    (folder / "items.txt").write_text(names.replace("12", f"of {index}"))
    files = file_checksums(folder)
    dataclasses.replace(
        data.manifest,
        files=files,
        data_checksum=data_checksum(data.manifest.splits, files),
    ).save(folder)
    return refused(PreparedDataset.open(folder), config, ToyConfig())


def other_versions(data, config, index):
    """Differs in what is installed."""
    versions = {"tensorflow-probability": f"0.{index}", "numpy": f"2.{index}"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.metadata, "version", versions.get)
        return refused(data, config, ToyConfig())


def terminated(data, config, index, method):
    """Stops a run by a signal to worker 1, when a method is called."""
    original = getattr(Recorder, method)

    def call(self, *arguments, **options):
        # Of steps, after the second.
        if index == 1 and (method != "on_train_batch_end" or arguments[0]):
            os.kill(os.getpid(), signal.SIGTERM)
        original(self, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recorder, method, call)
        with pytest.raises(KeyboardInterrupt):
            train(data, config)


def other_vectors(kind, batches, num_items, dim):
    """Stands for singular vectors that another machine finds differently."""
    return np.eye(num_items, dim, dtype=np.float32)


def main(folder):
    """Does everything, one after the other, in one job."""
    # As tests/conftest.py does.
    tf.config.optimizer.set_experimental_options(
        {"disable_meta_optimizer": True}
    )
    workers = Workers(make_strategy("auto"))
    index = workers.index
    own = folder / f"worker{index}"
    heard = talk(folder, workers)

    with pytest.MonkeyPatch.context() as patch:
        silence(patch)
        if index:
            patch.setattr(vector_model, "vectors_at_start", other_vectors)
        data = sequences(own / "sequences")
        np.savez(own / "sampled", **fit(data, "auto", sampled))
        # With a term that compares the sequences of different workers.
        divided = fit(data, "auto", contrastive, divided=True)
        np.savez(own / "divided", **divided)

    MODELS["toy"] = entry(Toy)
    data = toy_data(own / "toy")
    config = TrainingConfig(
        model="toy",
        # No worker but the chief can make this folder.
        run_dir=str(folder / "whole") if index == 0 else "/proc/no/such",
        epochs=1,
        diagnostic_sequences=0,
        batch_size=6,
        verbose="line",
    )
    heard["refused"] = [
        other_settings(data, config, index),
        other_data(own / "other", config, index),
        other_versions(data, config, index),
    ]
    heard["numbers"] = train(data, config)
    torn = dataclasses.replace(config, checkpoint_minutes=60.0)
    if index == 0:
        torn = dataclasses.replace(torn, run_dir=str(folder / "torn"))
    for method in ("on_train_begin", "on_train_batch_end"):
        terminated(data, torn, index, method)
    heard["resumed"] = train(data, torn)
    heard["again"] = train(data, torn)
    write_json(own / "heard.json", json.loads(json.dumps(heard)))
    workers.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
