"""Tests of blends of finished runs, as `train` makes them."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.models.contract import prepare
from tests.toy import toy_data
from tests.training.conftest import short
from tfrec.batches import Query
from tfrec.errors import InputError
from tfrec.models import BlendConfig, TransitionsConfig
from tfrec.training import load_run, train


@pytest.fixture(scope="module")
def walks(tmp_path_factory):
    """Walks from item to item, of which something can be known."""
    return prepare(tmp_path_factory.mktemp("walks"))


@pytest.fixture(scope="module")
def members(walks, tmp_path_factory):
    """A run that learned, and one that counted."""
    folder = tmp_path_factory.mktemp("members")
    train(walks, short(folder / "toy", epochs=1))
    counting = short(folder / "counts", model="transitions")
    train(walks, counting, TransitionsConfig(window=2))
    return str(folder / "toy"), str(folder / "counts")


@pytest.fixture(scope="module")
def blended(walks, members, tmp_path_factory):
    """A blend that chose its weights: its settings and its numbers."""
    config = short(tmp_path_factory.mktemp("blended") / "run", model="blend")
    return config, train(walks, config, BlendConfig(members=members))


def test_a_blend_says_which_weights_it_chose(
    blended, walks, members, settings, capsys
):
    config, numbers = blended
    weights = numbers["chosen"]["weights"]
    assert len(weights) == 2 and any(weights)
    saved = json.loads((Path(config.run_dir) / "metrics.json").read_text())
    assert saved["chosen"] == numbers["chosen"]
    spent = [
        json.loads((Path(member) / "metrics.json").read_text())["wall_seconds"]
        for member in members
    ]
    assert numbers["wall_seconds"] > sum(spent)

    again = settings(model="blend", verbose="line")
    given = train(
        walks, again, BlendConfig(members=members, weights=tuple(weights))
    )
    assert "chosen" not in given
    assert given["metrics"] == pytest.approx(numbers["metrics"], abs=1e-6)
    assert "Chosen" not in capsys.readouterr().out


def test_a_blend_has_what_its_members_learned(walks, members, settings):
    config, weights = settings(model="blend"), (0.5, 1.0)
    train(walks, config, BlendConfig(members=members, weights=weights))
    history = Query.of(np.array([[3, 1], [2, 0]], "i4"))
    scores = [load_run(member).model.score(history) for member in members]
    logits = np.tensordot(weights, np.stack(scores), 1)
    expected = logits - np.log(np.sum(np.exp(logits), 1, keepdims=True))
    found = load_run(config.run_dir).model.score(history)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_blend_that_is_finished_says_so(blended, walks, members, capsys):
    config, numbers = blended
    config = dataclasses.replace(config, verbose="line")
    assert train(walks, config, BlendConfig(members=members)) == numbers
    assert "is finished" in capsys.readouterr().out


def refused(data, config, message, **settings):
    with pytest.raises(InputError, match=message):
        train(data, config, BlendConfig(**settings))


def test_members_that_do_not_fit_are_refused(
    walks, members, settings, tmp_path
):
    config = settings(model="blend")
    refused(walks, config, r"`--members` must be the folder", members=("gone",))
    refused(walks, config, r"`--members` must name the runs")
    refused(
        walks,
        config,
        r"must be count-based models.*Received: toy\.",
        parts=({"model": "toy", "settings": {}},),
    )

    shutil.copytree(members[1], tmp_path / "stopped")
    (tmp_path / "stopped" / "metrics.json").unlink()
    refused(
        walks, config, "no metrics.json", members=(str(tmp_path / "stopped"),)
    )

    every = dataclasses.replace(config, fit_on="all")
    refused(
        walks,
        every,
        r"with --fit_on=all.*with --fit_on=train",
        members=members,
        weights=(1.0, 1.0),
    )
    refused(walks, every, r"`--weights` must be given", members=members)

    other = toy_data(tmp_path / "other", seed=1)
    refused(other, config, "is not the dataset", members=members)
    assert not list(Path(config.run_dir).glob("config.json"))
