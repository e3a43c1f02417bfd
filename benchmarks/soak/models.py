"""Versions of a small network that learned from the embedded dataset."""

from pathlib import Path

import keras

from tfrec.data import DataConfig, prepare
from tfrec.models import ACVAE, ACVAEConfig
from tfrec.serving.exporting import export
from tfrec.training import Run, TrainingConfig

NAME = "acvae"
_SMALL = {
    "embedding_dim": 16,
    "gru_units": 16,
    "convolution_filters": 16,
    "latent_dim": 8,
    "decoder_units": 16,
    "critic_units": 8,
    "learning_rate": 3e-3,
}


def make_versions(
    folder: Path, count: int, seed: int
) -> tuple[dict[str, Path], list[str]]:
    """Trains a network and exports it after each epoch.

    Args:
        folder: For the dataset and the versions.
        count: Versions, which answer differently.
        seed: Of the network.

    Returns:
        The folders of the versions by name, and the ids that they know.
    """
    keras.utils.set_random_seed(seed)
    data = prepare(DataConfig(dataset="synthetic", data_dir=folder / "data"))
    model = ACVAE(data.num_items, ACVAEConfig(**_SMALL))
    model.compile()
    versions = {}
    for epoch in range(1, count + 1):
        training = data.training(batch_size=128, seed=seed)
        model.fit(training, epochs=1, shuffle=False, verbose=0)
        run = Run(folder / "run", model, data, TrainingConfig(model=NAME))
        version = export(run, folder / "store", version=epoch)
        versions[f"epoch {epoch}"] = version
        print(f"Exported epoch {epoch} of {count}.", flush=True)
    return versions, list(data.vocabulary.items)
