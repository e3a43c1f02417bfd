"""What the contracts share: one trained model for each name."""

from pathlib import Path

import keras
import pytest

from tests.models import contract
from tfrec.data import PreparedDataset
from tfrec.models import MODELS


def pytest_collection_modifyitems(items):
    """Marks what is for one model of each kind as long for the others."""
    chosen = {"each_kind": contract.KINDS, "each_step": contract.STEPS}
    for item in items:
        for mark, names in chosen.items():
            if (
                item.get_closest_marker(mark)
                and item.callspec.params["name"] not in names
            ):
                item.add_marker(pytest.mark.long)


@pytest.fixture(scope="session")
def walks(tmp_path_factory) -> PreparedDataset:
    """Sequences to train on; six batches in an epoch."""
    return contract.prepare(tmp_path_factory.mktemp("walks"))


@pytest.fixture(
    scope="session",
    params=[
        *MODELS,
        *(
            pytest.param(
                name, marks=() if name in contract.KINDS else pytest.mark.long
            )
            for name in contract.VARIANTS
        ),
    ],
)
def name(request) -> str:
    """The name of each model in turn, and of each variant."""
    return request.param


@pytest.fixture(scope="session")
def trained() -> dict[str, contract.Fitted]:
    """The models that were trained so far, by name."""
    return {}


@pytest.fixture
def fitted(name, trained, walks, tmp_path_factory) -> contract.Fitted:
    """The model after two epochs; not to be changed."""
    if name not in trained:
        trained[name] = fit(name, walks, tmp_path_factory.mktemp(name))
    return trained[name]


def fit(name: str, walks: PreparedDataset, folder: Path) -> contract.Fitted:
    """Trains a small model for two epochs."""
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
