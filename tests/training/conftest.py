"""What the tests of training share."""

import shutil

import pytest

from tests.toy import Toy, entry, toy_data
from tfrec.models import MODELS
from tfrec.training import TrainingConfig, train


@pytest.fixture(scope="package")
def data(tmp_path_factory):
    """A small prepared dataset."""
    return toy_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="package", autouse=True)
def toy():
    """Registers the model `toy`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS, "toy", entry(Toy))
        yield


@pytest.fixture
def settings(tmp_path):
    """Makes settings of a short silent run of the model `toy`."""
    return lambda **changes: short(**{"run_dir": tmp_path / "run", **changes})


@pytest.fixture(scope="package")
def finished_run(toy, data, tmp_path_factory):
    """The settings of a run that was trained; not to be changed."""
    folder = tmp_path_factory.mktemp("finished")
    config = short(folder / "run", diagnostic_sequences=16)
    train(data, config)
    return config


@pytest.fixture
def copied_run(finished_run, settings):
    """The settings of a copy of that run, in a folder of its own."""
    config = settings()
    shutil.copytree(finished_run.run_dir, config.run_dir)
    return config


def short(run_dir, **changes):
    """Returns the settings of three epochs of four steps."""
    return TrainingConfig(
        **{
            "model": "toy",
            "run_dir": run_dir,
            "epochs": 3,
            "batch_size": 6,
            "diagnostic_sequences": 0,
            "verbose": "none",
            **changes,
        }
    )
