"""`--measured_by`: the run that measured what this one cannot.

A run on everything has no test. Another run had one, with the same settings;
what it measured, and what differs, is copied into the description of this run.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfrec.data import DataConfig, PreparedDataset
from tfrec.errors import InputError
from tfrec.settings import Settings
from tfrec.training.config import TrainingConfig
from tfrec.training.description import (
    FILE_NAME,
    MEASURED,
    begun,
    changes,
    read_description,
)
from tfrec.training.files import read_json
from tfrec.training.run import METRICS

# What has to differ: how much was held out, and what was chosen by it.
_HELD_OUT = (
    "test_fraction",
    "test_from",
    "test_quantile",
    "test_days",
    "unseen_items",
    "validation_fraction",
    "fit_on",
    "patience",
    "validate_every",
    "validation_metric",
    "cutoffs",
)


def measure(
    folder: Path,
    data: PreparedDataset,
    config: TrainingConfig,
    model_config: Settings,
) -> dict[str, Any] | None:
    """Returns what the run that `--measured_by` names has measured.

    Args:
        folder: The directory of this run. If it has the answer, and the flag
            or the other run is gone, that is the answer still.
        data: What this run is trained on.
        config: Its settings.
        model_config: Settings of its model.

    Returns:
        `run`, `protocol`, `examples`, `metrics`, `data_checksum` and
        `differences`, the settings that differ, in words; None if no run is
        named.

    Raises:
        InputError: If this run has a test of its own, or the other one none,
            or a model of another kind.
    """
    kept = None
    if (folder / FILE_NAME).exists() and begun(folder):
        kept = read_description(folder).get(MEASURED)
    if not config.measured_by:
        # A run goes on without the flag.
        return kept
    if not data.protocol.no_test:
        raise InputError(
            "`--measured_by` means nothing with a dataset that has a test, as "
            f"{data.data_dir} has. Remove it."
        )
    other = Path(config.measured_by)
    gone = not (other / FILE_NAME).exists()
    if gone and kept and kept["run"] == config.measured_by:
        return kept
    saved = read_description(other, "--measured_by")
    training = TrainingConfig.from_dict(saved["training"])
    if training.model != config.model:
        raise InputError(
            "`--measured_by` must name a run of the same model. Received: "
            f"{other}, a run of {training.model}, for one of {config.model}."
        )
    numbers = {}
    if (other / METRICS).exists():
        numbers = read_json(other / METRICS)
    if "metrics" not in numbers:
        raise InputError(
            "`--measured_by` must name a run that was tested. Received: "
            f"{other}, whose {METRICS} has no metrics. Finish it, or name the "
            "run that measured it."
        )
    return {
        "run": config.measured_by,
        "protocol": numbers["protocol"],
        "examples": numbers["examples"],
        "metrics": numbers["metrics"],
        "data_checksum": numbers["data_checksum"],
        "differences": _differences(
            saved, numbers, training, data, config, model_config
        ),
    }


def _differences(
    saved: Mapping[str, Any],
    numbers: Mapping[str, Any],
    training: TrainingConfig,
    data: PreparedDataset,
    config: TrainingConfig,
    model_config: Settings,
) -> list[str]:
    """Names what differs from what was measured."""
    known = type(model_config)().to_dict() | saved["model"]
    measured = DataConfig.from_dict(saved["data"])
    here = DataConfig.from_dict(data.manifest.settings)
    pairs = [
        (measured.identity(), here.identity()),
        (training.identity(), config.identity()),
        (known, model_config.to_dict()),
    ]
    found = []
    for before, now in pairs:
        for settings in (before, now):
            for name in _HELD_OUT:
                settings.pop(name, None)
        # Some settings are of several concerns.
        found += [text for text in changes(before, now) if text not in found]
    tested = numbers["best_epoch"] or numbers["epochs"]
    if tested != config.epochs and config.fit_on == "all":
        found.append(
            f"epoch {tested} was measured and --epochs is {config.epochs}"
        )
    return found
