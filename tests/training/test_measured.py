"""Runs on everything: without a test, and measured by another run."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from tests.prepared import prepare_sequences
from tfrec.data import PreparedDataset
from tfrec.data.people import People
from tfrec.errors import InputError
from tfrec.models.configs.pop import PopConfig
from tfrec.reporting.page import report as page
from tfrec.training import TrainingConfig, load_run, report, train
from tfrec.training.comparison import read_runs
from tfrec.training.measured import measure

FOLDERS = ("measured", "whole")


def rows():
    rng = np.random.default_rng(0)
    return [rng.integers(1, 13, n).tolist() for n in rng.integers(5, 12, 23)]


def settings(folder, **changes):
    return TrainingConfig(
        **{
            "model": "pop",
            "run_dir": folder,
            "batch_size": 6,
            "cutoffs": (10,),
            "verbose": "none",
            **changes,
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Holds the run `measured`, and its data and that of all in `data`."""
    folder = tmp_path_factory.mktemp("measured")
    data = prepare_sequences(
        folder / "data" / "measured",
        train=[row[:-1] for row in rows()],
        validation=[(row[:-2], row[-2:-1]) for row in rows()],
        test=[(row[:-1], row[-1:]) for row in rows()],
        num_items=12,
    )
    train(data, settings(folder / "measured"))
    prepare_sequences(
        folder / "data" / "whole",
        train=rows(),
        num_items=12,
        test_fraction=0.0,
        validation_fraction=0.0,
    )
    return folder


@pytest.fixture(scope="module")
def alone(folder):
    """The numbers of a run on everything that names no other run."""
    config = settings(folder / "whole", fit_on="all")
    return train(load_data(folder), config)


@pytest.fixture(scope="module")
def whole(folder, alone):
    """The same run, with the flag: its settings, its data, its numbers."""
    data = load_data(folder)
    config = settings(
        folder / "whole", fit_on="all", measured_by=folder / "measured"
    )
    return config, data, train(data, config)


def load_data(folder, name="whole"):
    return PreparedDataset.open(folder / "data" / name)


def saved(folder, name, file):
    return json.loads((folder / name / file).read_text())


def test_a_run_on_everything_says_who_measured_it(folder, whole):
    _, _, numbers = whole
    measured = saved(folder, "measured", "metrics.json")
    described = saved(folder, "whole", "config.json")["measured_by"]
    assert described == numbers["measured_by"]
    assert described["metrics"] == measured["metrics"]
    assert described["protocol"] == measured["protocol"]
    assert described["differences"] == []
    assert "metrics" not in numbers
    assert saved(folder, "whole", "metrics.json")["no_test"] == (
        "--test_fraction=0"
    )
    text = report(numbers)
    assert text.startswith("No test score: nothing was held out")
    assert f"Measured by {folder / 'measured'}, on holdout 0.2" in text
    assert f"{measured['metrics']['ndcg@10']:.4f}" in text
    assert text.endswith("Settings that differ: none.")


def test_it_was_trained_on_everything(whole):
    config, _, _ = whole
    counts = load_run(config.run_dir).model.counts
    expected = np.bincount(np.concatenate(rows()), minlength=13)[1:]
    np.testing.assert_array_equal(counts, expected)


def test_the_run_may_be_named_later(alone, whole):
    _, _, numbers = whole
    assert report(alone).endswith("by --measured_by=RUN.")
    assert numbers | {"measured_by": None} == alone | {"measured_by": None}


def test_a_measuring_run_that_is_gone_leaves_what_it_measured(
    folder, whole, tmp_path
):
    config, data, numbers = whole
    copied = shutil.copytree(config.run_dir, tmp_path / "run")
    description = copied / "config.json"
    gone = str(tmp_path / "gone")
    text = description.read_text().replace(config.measured_by, gone)
    changed = json.loads(text)
    del changed["checksum"]
    description.write_text(json.dumps(changed))
    again = train(
        data, dataclasses.replace(config, run_dir=copied, measured_by=gone)
    )
    assert again["measured_by"]["metrics"] == numbers["measured_by"]["metrics"]


def test_going_on_without_the_flag_keeps_what_was_measured(whole, tmp_path):
    config, data, numbers = whole
    copied = shutil.copytree(config.run_dir, tmp_path / "run")
    changes = {"run_dir": copied, "measured_by": ""}
    again = train(data, dataclasses.replace(config, **changes))
    assert again["measured_by"] == numbers["measured_by"]


def test_a_run_that_cannot_measure_is_refused(folder, whole, tmp_path):
    config, data, _ = whole

    def refused(match, data=data, **changes):
        run_dir = tmp_path / "run"
        changed = dataclasses.replace(config, run_dir=run_dir, **changes)
        with pytest.raises(InputError, match=match):
            train(data, changed)
        assert not (run_dir / "config.json").exists()

    refused("a run of pop, for one of markov", model="markov")
    refused(
        "must name a run that was tested. .*whole", measured_by=config.run_dir
    )
    refused("`--measured_by` must be the folder of a run", measured_by=tmp_path)
    tested = load_data(folder, "measured")
    refused("means nothing with a dataset that has a test", data=tested)
    refused("Give `--fit_on=all` and the number", fit_on="train")


def test_what_needs_a_test_says_that_there_is_none(folder, whole):
    config, _, _ = whole
    line = (
        rf"^{config.run_dir} has no test \(--test_fraction=0\); "
        rf"{config.measured_by} measured it\.$"
    )
    run = load_run(config.run_dir)
    with pytest.raises(InputError, match=line):
        run.evaluate()
    with pytest.raises(InputError, match=line):
        read_runs([folder / name for name in FOLDERS])
    with pytest.raises(InputError, match="has neither test nor validation"):
        People(run.data).anyone()


def test_the_report_has_what_was_measured(whole):
    config, _, numbers = whole
    text = page(config.run_dir)
    assert "The dataset has no test split." in text
    assert f"Measured by {config.measured_by}" in text
    score = numbers["measured_by"]["metrics"]["ndcg@10"]
    assert f"{score:.4f}" in text


def test_what_differs_is_named(folder):
    config = settings(
        folder / "new",
        fit_on="all",
        epochs=20,
        seed=3,
        measured_by=folder / "measured",
    )
    data = load_data(folder)
    found = measure(folder / "new", data, config, PopConfig())
    assert found["differences"] == [
        "--seed was 0 and is 3",
        "epoch 1 was measured and --epochs is 20",
    ]
    text = report({"no_test": "--test_days=0", "measured_by": found})
    assert text.endswith(
        "that differ: " + "; ".join(found["differences"]) + "."
    )
