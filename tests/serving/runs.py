"""Runs as training leaves them, in no time, for tests of exports."""

from pathlib import Path

import keras

from tests.prepared import prepare_sequences
from tfrec.data import PreparedDataset
from tfrec.errors import InputError
from tfrec.models import get_model
from tfrec.settings import Settings
from tfrec.training import Run, TrainingConfig
from tfrec.training.run import build
from tfrec.training.strategy import make_strategy

# Small, and read no more than eight items.
_SMALL = {
    "max_length": 8,
    "embedding_dim": 6,
    "gru_units": 5,
    "convolution_filters": 4,
    "latent_dim": 3,
    "decoder_units": 6,
    "critic_units": 4,
    "flows": 2,
}
TRAINING = [[1, 2, 3, 2], [2, 4, 2, 5], [2, 3, 4, 12]]


def prepared(folder: Path, protocol: str = "holdout") -> PreparedDataset:
    """Prepares 12 items, of which item 2 occurs most often."""
    pairs = [(row[:-1], row[-1:]) for row in TRAINING]
    return prepare_sequences(
        folder,
        train=TRAINING,
        validation=pairs,
        test=pairs,
        num_items=12,
        protocol=protocol,
    )


def _reads(settings: type[Settings], name: str, value: int) -> bool:
    """Returns whether a model has a setting and, by its defaults, reads it."""
    if name not in settings.__dataclass_fields__:
        return False
    try:
        settings(**{name: value})
    except InputError:
        return False
    return True


def make_run(
    name: str, data: PreparedDataset, distribution: str = "none", **changes
) -> Run:
    """Makes a run of a small model; one that learns keeps its first weights.

    Args:
        name: Name of the model.
        data: Its data.
        distribution: As in `TrainingConfig`.
        **changes: Settings of the model.
    """
    config = TrainingConfig(
        model=name, batch_size=4, distribution=distribution, verbose="none"
    )
    settings = get_model(name).config_class
    small = {key: n for key, n in _SMALL.items() if _reads(settings, key, n)}
    # Fixtures of a module come before the seed of a test.
    keras.utils.set_random_seed(0)
    with make_strategy(distribution).scope():
        model = build(data, config, settings(**{**small, **changes}))
    model.adapt(data.training())
    if not model.trainable_variables:  # It counts.
        model.fit(data.training(), shuffle=False, verbose=0)
    return Run(Path("runs", name), model, data, config)
