"""Reads flag files as the command `train` does."""

from pathlib import Path

from absl import flags

from tfrec import settings
from tfrec.data import DataConfig
from tfrec.flagfiles import expand
from tfrec.models import MODELS, get_model
from tfrec.settings import Settings
from tfrec.training import TrainingConfig

CONFIGS = Path(__file__).parents[1] / "configs"
_MODEL_CONFIGS = [model.config_class for model in MODELS.values()]


def read_flagfile(
    path: Path, *changes: str
) -> tuple[DataConfig, TrainingConfig, Settings]:
    """Returns the settings of data, training and model.

    Args:
        path: The flag file.
        *changes: Flags of the command line.
    """
    values = flags.FlagValues()
    settings.define_flags(
        DataConfig, TrainingConfig, *_MODEL_CONFIGS, flag_values=values
    )
    arguments = expand([f"--flagfile={path}", *changes])
    values(["train", *(argument.text for argument in arguments)])
    training = settings.from_flags(TrainingConfig, values)
    config = get_model(training.model).config_class
    settings.refuse_foreign_flags(
        [DataConfig, TrainingConfig, config],
        _MODEL_CONFIGS,
        f"--model={training.model}",
        values,
    )
    data = settings.from_flags(DataConfig, values)
    return data, training, settings.from_flags(config, values)
