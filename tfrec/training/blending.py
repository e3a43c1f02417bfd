"""`--members`: the finished runs that a blend is made of."""

import dataclasses
from pathlib import Path

from tfrec.data import PreparedDataset
from tfrec.errors import InputError
from tfrec.models import get_entry
from tfrec.models.blend import Blend
from tfrec.models.configs.blend import BlendConfig
from tfrec.training.checkpoints import restore_model
from tfrec.training.config import TrainingConfig
from tfrec.training.description import check_data, read_description
from tfrec.training.files import read_json
from tfrec.training.run import CHECKPOINTS, METRICS


def read_members(
    model_config: BlendConfig, data: PreparedDataset, config: TrainingConfig
) -> BlendConfig:
    """Returns the settings with the models of the runs they name.

    Args:
        model_config: Settings of the blend.
        data: What it is measured on.
        config: Settings of its run.

    Raises:
        InputError: If a member is no finished run, is of another dataset or
            has another `fit_on`, or nothing could choose the weights.
    """
    if not model_config.weights and config.fit_on == "all":
        raise InputError(
            "`--weights` must be given with --fit_on=all, which leaves no "
            "validation split to choose them on. A blend of the same models "
            "with --fit_on=train prints those that it chooses."
        )
    if not model_config.members and not model_config.parts:
        raise InputError(
            "`--members` must name the runs to blend. Received: none."
        )
    if not model_config.members:
        _refuse_untrained(model_config)
        return model_config
    parts = []
    for folder in map(Path, model_config.members):
        saved = read_description(folder, "--members")
        check_data(folder, saved, data)
        training = saved["training"]
        if training["fit_on"] != config.fit_on:
            raise InputError(
                f"`--members` must name runs with --fit_on={config.fit_on}, as "
                f"this one has it. Received: {folder}, with --fit_on="
                f"{training['fit_on']}."
            )
        if not (folder / METRICS).exists():
            raise InputError(
                "`--members` must name finished runs. Received: "
                f"{folder}, which has no {METRICS}."
            )
        # With what has become a setting since then.
        settings = get_entry(training["model"]).config_class.from_dict(
            saved["model"]
        )
        parts.append(
            {"model": training["model"], "settings": settings.to_dict()}
        )
    return dataclasses.replace(model_config, parts=tuple(parts))


def _refuse_untrained(model_config: BlendConfig) -> None:
    """Raises `InputError` if a part without a run has to be trained."""
    for part in model_config.parts:
        if not get_entry(part["model"]).model_class.one_pass:
            raise InputError(
                "`parts` without `members` must be count-based models, which "
                f"need no run. Received: {part['model']}."
            )


def restore_members(model: Blend) -> float:
    """Gives each member the weights that its run selected.

    Returns:
        The seconds that their training took.

    Raises:
        InputError: If they cannot be read.
    """
    seconds = 0.0
    for folder, member in zip(
        map(Path, model.config.members), model.members, strict=False
    ):
        restore_model(folder / CHECKPOINTS, member)
        seconds += read_json(folder / METRICS)["wall_seconds"]
    return seconds
