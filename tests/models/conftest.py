"""What the contracts share: one trained model for each name."""

import keras
import pytest

from tests.models import contract
from tfrec.data import PreparedDataset
from tfrec.models import MODELS


@pytest.fixture(scope="session")
def walks(tmp_path_factory) -> PreparedDataset:
    """Sequences to train on; six batches in an epoch."""
    return contract.prepare(tmp_path_factory.mktemp("walks"))


@pytest.fixture(scope="session", params=list(MODELS))
def name(request) -> str:
    """The name of each model in turn."""
    return request.param


@pytest.fixture(scope="session")
def fitted(name, walks, tmp_path_factory) -> contract.Fitted:
    """The model after two epochs; not to be changed."""
    folder = tmp_path_factory.mktemp(name)
    model = contract.make(name)
    before = model.score(contract.query()).numpy()
    loss = contract.loss(model)
    model.compile()
    saver = keras.callbacks.ModelCheckpoint(folder / "{epoch:02d}.keras")
    history = model.fit(
        contract.epoch(walks),
        epochs=2,
        verbose=0,
        shuffle=False,
        callbacks=[saver],
    )
    return contract.Fitted(
        model, before, loss, history.history, folder / "02.keras"
    )
