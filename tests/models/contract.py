"""Small models of any kind, for the contracts that all of them keep.

A model is known here by its name in the registry and by what it declares. Its
sizes follow from the names of its settings, so a new model needs no entry.
"""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.prepared import last_two_out, prepare_sequences
from tfrec.batches import EvaluationBatch, Query, TrainingBatch
from tfrec.data import PreparedDataset
from tfrec.errors import InputError
from tfrec.models import Recommender, get_entry, get_model
from tfrec.settings import Settings

NUM_ITEMS = 12
# As many as there are sequences to train on.
NUM_USERS = 27
MAX_LENGTH = 8
BATCH_SIZE = 5

# By the end of a setting's name.
_SMALL = {
    "_dim": 8,
    "_units": 8,
    "_filters": 8,
    "flows": 2,
    "layers": 2,
    "blocks": 2,
    "heads": 2,
    "_steps": 2,
    "max_length": MAX_LENGTH,
    # So that a few steps are seen.
    "learning_rate": 0.02,
}


# Settings without which there is no model.
_NEEDED: dict[str, dict[str, Any]] = {
    "blend": {
        "parts": tuple(
            {"model": name, "settings": {"max_length": MAX_LENGTH} | changes}
            for name, changes in (
                ("transitions", {}),
                ("fpmc", {"embedding_dim": 8}),
                ("ease", {"l2_weight": 2.0}),
            )
        ),
        "weights": (0.5, 0.2, 3.0),
    },
}

# Settings that make of a model nearly another one, by the name of the pair.
VARIANTS: dict[str, dict[str, Any]] = {
    "acvae with a transformer": {"encoder": "transformer", "blocks": 1},
    "gru4rec that counts": {
        "loss": "softmax",
        "memory": "gated",
        "item_start": "spectral",
    },
    "itemknn of histories": {"history_decay": 0.9},
}


# One model of each kind, for what is marked `each_kind`. What these keep the
# others have from the same base; `--long` asks all.
KINDS = (
    "acvae",
    "vaser",
    "vrm",
    "sasrec",
    "bert4rec",
    "caser",
    "recvae",
    "cfgan",
    "gru4rec that counts",
    "rules",
    "slist",
    "blend",
)

# Of those one for each kind of step, for what is marked `each_step`: the two
# others read in another way, and step as ACVAE and GRU4Rec do.
STEPS = tuple(name for name in KINDS if name not in ("vaser", "sasrec"))


def base(name: str) -> str:
    """Returns the registry's name of a model, of a variant or not."""
    return name.partition(" ")[0]


class Fitted(NamedTuple):
    """A model after two epochs, not to be changed, and where it came from.

    Attributes:
        model: The model.
        before: float32 `[batch, num_items]`, its scores before training.
        loss_before: The loss on `training_batch` before training, if it has
            an objective.
        logs: What `fit` returned, by name, an epoch each.
        saved: What `ModelCheckpoint` wrote after the second epoch.
    """

    model: Recommender
    before: np.ndarray
    loss_before: float | None
    logs: dict[str, list[float]]
    saved: Path


def settings(name: str, still: bool = False, **changes: Any) -> Settings:
    """Returns settings of a small model.

    Args:
        name: Name of the model, or of a variant.
        still: Whether it is without dropout.
        **changes: Settings that differ besides.
    """
    changes = _NEEDED.get(name, {}) | VARIANTS.get(name, {}) | changes
    config = get_entry(base(name)).config_class(**changes)
    small = _SMALL | ({"dropout": 0.0} if still else {})
    for field in dataclasses.fields(config):
        for end, value in small.items():
            if field.name in changes or not field.name.endswith(end):
                continue
            try:
                config = dataclasses.replace(config, **{field.name: value})
            except InputError:
                # The size of a part that this model was not given.
                continue
    return config


def make(name: str, still: bool = False, **changes: Any) -> Recommender:
    """Returns a small model with the first weights of seed 0.

    Arguments as for `settings`.
    """
    # A fixture that others share comes before the seed of a test.
    keras.utils.set_random_seed(0)
    config = settings(name, still, **changes)
    return get_model(base(name))(NUM_ITEMS, config, NUM_USERS)


def has(name: str, setting: str) -> bool:
    """Returns whether a model has a setting."""
    fields = dataclasses.fields(get_entry(base(name)).config_class)
    return setting in {field.name for field in fields}


def losses(name: str) -> tuple[str, ...]:
    """Returns the choices of the setting `loss`; none without it."""
    for field in dataclasses.fields(get_entry(base(name)).config_class):
        if field.name == "loss":
            return field.metadata["choices"]
    return ()


def learns(model: Recommender) -> bool:
    """Returns whether training minimises an objective."""
    return hasattr(model, "objective")


def loss(model: Recommender) -> float | None:
    """Returns the loss on `training_batch` without noise, if it has one.

    It is that of the end of training: nothing is annealed any more.
    """
    if not learns(model):
        return None
    steps = int(model.steps)
    model.steps.assign(10**6)
    with pytest.MonkeyPatch.context() as patch:
        silence(patch)
        found = model.objective(training_batch(), training=False)["loss"]
    model.steps.assign(steps)
    return float(found)


def predicts_prefixes(model: Recommender) -> bool:
    """Returns whether the model has a state after every prefix."""
    return hasattr(model, "states")


def prepare(folder: Path) -> PreparedDataset:
    """Prepares 27 walks from item to item; item 12 is in none of them."""
    rng = np.random.default_rng(0)
    rows = []
    for start, length in zip(
        rng.integers(0, 11, NUM_USERS),
        rng.integers(4, 11, NUM_USERS),
        strict=True,
    ):
        steps = rng.choice([1, 2], length, p=[0.8, 0.2])
        rows.append(((start + np.cumsum(steps)) % 11 + 1).tolist())
    return prepare_sequences(
        folder,
        **last_two_out(rows),
        num_items=NUM_ITEMS,
    )


def epoch(data: PreparedDataset, size: int = BATCH_SIZE) -> tf.data.Dataset:
    """Returns one epoch of training batches, the same each time."""
    return data.training(size, MAX_LENGTH, epochs=1)


# Of several lengths; a row may be longer than what the models read.
HISTORIES = [
    [3, 1, 4, 1, 5, 9, 2, 6],
    [2, 7],
    [1, 2, 3, 4],
    [5],
    [8, 9, 10, 11, 1],
]


def padded(rows: list[list[int]], extra: int = 0) -> np.ndarray:
    """Returns rows as one array, int32, with `extra` columns of padding."""
    width = max(map(len, rows), default=0) + extra
    return np.array([[*row, *[0] * (width - len(row))] for row in rows], "i4")


def query(
    rows: list[list[int]] = HISTORIES, extra: int = 0, first_user: int = 1
) -> Query:
    """Asks for the rows, each a user of its own."""
    users = (np.arange(len(rows)) + first_user - 1) % NUM_USERS + 1
    return Query(tf.constant(padded(rows, extra)), tf.constant(users, tf.int32))


def training_batch(
    rows: list[list[int]] = HISTORIES, extra: int = 0
) -> TrainingBatch:
    """Returns the rows as sequences to train on, each of its own weight."""
    asked = query(rows, extra)
    weight = tf.range(1.0, len(rows) + 1) / 10
    return TrainingBatch(
        asked.history, weight, asked.user, tf.ones_like(weight)
    )


def evaluation_batch() -> EvaluationBatch:
    """Returns `HISTORIES` with two targets or one; the history is left out."""
    asked = query()
    targets = tf.constant([[7, 8], [1, 0], [5, 12], [6, 0], [12, 2]])
    return EvaluationBatch.of(asked.history, targets, asked.history, asked.user)


def weights(model: Recommender) -> list[np.ndarray]:
    """Returns everything that a model has learned or counted.

    Not the states of its random generators, which a step moves too.
    """
    return [
        *(np.array(v) for v in model.variables if "seed_gen" not in v.path),
        *(table.numpy() for table in model.tables.values()),
    ]


def optimizer_state(model: Recommender) -> list[np.ndarray]:
    """Returns every variable of every optimizer."""
    return [
        np.array(variable)
        for _, optimizer in sorted(model.optimizers.items())
        for variable in optimizer.variables
    ]


def silence(patch: pytest.MonkeyPatch) -> None:
    """Gives every row the same draws, which differ between two devices.

    Noise is zero, a number between two is the middle, and of whole numbers the
    last come: of the items drawn as negatives those that no row has.
    """

    def uniform(shape, minval=0.0, maxval=1.0, dtype="float32", seed=None):
        return tf.fill(shape, tf.cast((minval + maxval) / 2, dtype))

    def randint(shape, minval, maxval, dtype="int32", seed=None):
        from_last = tf.range(shape[-1]) % (maxval - minval)
        return tf.broadcast_to(tf.cast(maxval - 1 - from_last, dtype), shape)

    patch.setattr(
        keras.random, "normal", lambda shape, seed=None: tf.zeros(shape)
    )
    patch.setattr(keras.random, "uniform", uniform)
    patch.setattr(keras.random, "randint", randint)
