"""Runs that start from the weights of another run."""

import dataclasses
import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.prepared import last_two_out, prepare_sequences
from tests.toy import ToyConfig, entry
from tfrec.errors import InputError
from tfrec.layers.item_embedding import ItemEmbedding
from tfrec.layers.item_logits import ItemLogits
from tfrec.models import MODELS, Pop
from tfrec.models.base.learned import Learned
from tfrec.settings import setting
from tfrec.training import TrainingConfig, train
from tfrec.training.warm_start import Start

# Each item is followed by the next one, mostly.
ITEMS = 30
EPOCHS = 8


@dataclasses.dataclass(frozen=True)
class FollowsConfig(ToyConfig):
    """Settings of Follows."""

    learning_rate: float = 0.01
    embedding_dim: int = setting(8, "Size of the vectors.")
    hidden: bool = setting(True, "Whether there is a layer more.")


class Follows(Learned):
    """Predicts the next item from the last one; traced in no time."""

    config_class = FollowsConfig

    def __init__(self, num_items, config=None, num_users=0):
        super().__init__(num_items, config, num_users)
        self.embedding = ItemEmbedding(num_items, self.config.embedding_dim)
        self.embedding.build()
        self.item_logits = ItemLogits(num_items)
        self.item_logits.build((None, self.config.embedding_dim))
        if self.config.hidden:
            self.hidden = keras.layers.Dense(1, trainable=False, name="hidden")
            self.hidden.build((None, 1))
        self.built = True

    def objective(self, batch, training=True):
        targets = batch.items[:, 1:]
        scores = self.item_logits(self.embedding(batch.items[:, :-1]))
        each = tf.gather(scores, tf.maximum(targets - 1, 0), batch_dims=2)
        each = tf.where(targets > 0, each, 0.0)
        return {"loss": -tf.reduce_sum(batch.weight[:, None] * each)}

    def score(self, query):
        length = tf.math.count_nonzero(query.history, 1)
        last = tf.gather(query.history, length - 1, batch_dims=1)
        return self.item_logits(self.embedding(last))


def walks(folder, names, seed=0):
    """Prepares walks along the items; the last name is met now and then.

    Args:
        folder: Where.
        names: The ids of the items, by index.
        seed: Of the walks.
    """
    rng = np.random.default_rng(seed)
    index = {name: number for number, name in enumerate(names, 1)}
    rows = []
    for start, length in zip(
        rng.integers(ITEMS, size=60), rng.integers(6, 12, 60), strict=True
    ):
        steps = np.cumsum(rng.choice([1, 2], length, p=[0.9, 0.1]))
        walk = [f"item {1 + place % ITEMS}" for place in start + steps]
        rows.append([index.get(item, len(names)) for item in walk])
    return prepare_sequences(
        folder,
        **last_two_out(rows),
        names=names,
        num_items=len(names),
        rank_history=True,
    )


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    """Yesterday's data and tonight's, and a folder for runs.

    Tonight items come in another order, one is gone, and one is new.
    """
    folder = tmp_path_factory.mktemp("nights")
    before = [f"item {i}" for i in range(1, ITEMS + 1)]
    now = [*np.random.default_rng(1).permutation(before[:-1]), "new"]
    return (
        walks(folder / "yesterday", before),
        walks(folder / "tonight", now, seed=1),
        folder,
    )


def settings(run_dir, **changes):
    return TrainingConfig(
        **{
            "model": "follows",
            "run_dir": run_dir,
            "epochs": EPOCHS,
            "batch_size": 20,
            "cutoffs": (10,),
            "test": False,
            "verbose": "none",
            **changes,
        }
    )


@pytest.fixture(scope="module", autouse=True)
def follows():
    """Registers the model `follows`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS, "follows", entry(Follows, "follows"))
        yield


@pytest.fixture(scope="module")
def yesterday(nights):
    """The run of yesterday."""
    config = settings(nights[2] / "run", epochs=3 * EPOCHS, fit_on="all")
    train(nights[0], config)
    return config


@pytest.fixture(scope="module")
def warm(nights, yesterday):
    """The settings and the numbers of a run that went on from there."""
    config = settings(nights[2] / "warm", epochs=2, init_from=yesterday.run_dir)
    return config, train(nights[1], config)


def validations(numbers):
    """Returns the best score on the validation."""
    return numbers["validation"]["ndcg@10"]


def test_a_warm_run_reaches_the_cold_score_in_a_fraction_of_its_steps(
    nights, warm
):
    cold = train(nights[1], settings(nights[2] / "cold"))
    _, numbers = warm
    assert numbers["steps"] * 4 == cold["steps"]
    assert validations(numbers) >= validations(cold)
    # Cold, as many steps are nothing like enough.
    path = nights[2] / "cold" / "epochs.csv"
    early = [line.split(",") for line in path.read_text().splitlines()]
    column = early[0].index("val_ndcg@10")
    assert float(early[2][column]) < 0.9 * validations(numbers)


def test_a_run_says_what_it_started_from(warm, yesterday):
    config, numbers = warm
    assert numbers["origin"] == (
        f"Started from the weights of {yesterday.run_dir}: 29 items known, 1 "
        "new, 1 gone."
    )
    saved = json.loads(Path(config.run_dir, "metrics.json").read_text())
    assert saved["origin"] == numbers["origin"]


def test_optimizers_start_anew(nights, warm):
    config, numbers = warm
    reader = tf.train.load_checkpoint(
        str(Path(config.run_dir, "checkpoints", "last"))
    )
    (name,) = (
        n
        for n in reader.get_variable_to_shape_map()
        if "optimizers" in n and "iteration" in n
    )
    assert reader.get_tensor(name) == numbers["steps"]


def test_a_resumed_run_goes_on_from_its_checkpoint_alone(
    nights, warm, monkeypatch, tmp_path
):
    config, numbers = warm
    folder = tmp_path / "run"
    shutil.copytree(config.run_dir, folder)
    monkeypatch.setattr(Start, "read", None)
    longer = dataclasses.replace(config, run_dir=folder, epochs=3)
    more = train(nights[1], longer)
    assert more["steps"] == numbers["steps"] / 2 * 3
    assert more["origin"] == numbers["origin"]
    for other in ("", "elsewhere"):
        changed = dataclasses.replace(longer, init_from=other)
        with pytest.raises(InputError, match=r"--init_from was .* and is"):
            train(nights[1], changed)


def test_what_cannot_be_started_from_is_refused_before_anything_is_written(
    nights, yesterday, tmp_path
):
    _, tonight, _ = nights
    begun = yesterday.run_dir

    def refused(match, data=tonight, **changes):
        config = settings(tmp_path / "run", **{"init_from": begun, **changes})
        with pytest.raises(InputError, match=match):
            train(data, config)
        assert not Path(config.run_dir, "config.json").exists()

    refused("run of follows, for one of markov", model="markov")
    refused("`--init_from` must be the folder of a run", init_from=tmp_path)
    strange = prepare_sequences(
        tmp_path / "strange",
        train=[[1, 2, 3]] * 9,
        validation=[([1, 2], [3])],
        test=[([1, 2], [3])],
        names=["a", "b", "c"],
    )
    refused("none of its 3 items", data=strange)
    begun = tmp_path / "begun"
    begun.mkdir()
    description = Path(yesterday.run_dir, "config.json").read_text()
    (begun / "config.json").write_text(description)
    refused("no checkpoint yet")
    begun = tmp_path / "moved"
    shutil.copytree(yesterday.run_dir, begun)
    saved = json.loads(description)
    del saved["checksum"]
    saved["data_dir"] = str(tmp_path / "gone")
    (begun / "config.json").write_text(json.dumps(saved))
    refused(
        r"`--init_from` \(.*moved\) needs the dataset .*gone, for items.txt"
    )
    saved["data_dir"] = str(strange.data_dir)
    (begun / "config.json").write_text(json.dumps(saved))
    refused("that has changed")


def test_other_sizes_are_refused_naming_both(nights, yesterday, tmp_path):
    config = settings(tmp_path / "run", init_from=yesterday.run_dir)
    sizes = r"is \[31, 8\] there and \[31, 4\] here.*--embedding_dim was 8 and"
    with pytest.raises(InputError, match=sizes):
        train(nights[1], config, FollowsConfig(embedding_dim=4))
    config = dataclasses.replace(config, run_dir=tmp_path / "less")
    less = (
        r"hidden/kernel is there and not here.*--hidden was True and is False"
    )
    with pytest.raises(InputError, match=less):
        train(nights[1], config, FollowsConfig(hidden=False))


def test_a_model_that_counts_counts_anew(nights, yesterday, tmp_path):
    begun = tmp_path / "counts"
    shutil.copytree(yesterday.run_dir, begun)
    saved = json.loads((begun / "config.json").read_text())
    del saved["checksum"]
    saved["training"]["model"] = "pop"
    (begun / "config.json").write_text(json.dumps(saved))
    model = Pop(nights[1].num_items)
    model.compile(run_eagerly=True)
    model.fit(nights[1].training(20, 10, epochs=1), verbose=0)
    counted = np.array(model.counts)
    assert counted.sum() > 100
    config = settings(tmp_path / "run", model="pop", init_from=begun)
    said = Start.read(nights[1], config).give(model, model.config)
    assert said.startswith(f"Nothing is taken from {begun}")
    np.testing.assert_array_equal(model.counts, counted)
