"""`config.json`: what a run is, and whether a command means the same run."""

import importlib.metadata
import platform
from pathlib import Path
from typing import Any

import tfrec
from tfrec.data import DataConfig, PreparedDataset
from tfrec.errors import InputError
from tfrec.integrity import opened, sealed
from tfrec.settings import Settings
from tfrec.training.config import TrainingConfig
from tfrec.training.files import read_json, write_json

FORMAT_VERSION = 2
FILE_NAME = "config.json"
# The data may move.
_MAY_CHANGE = ("data_dir",)
# Where it says which run measured this one; see `--measured_by`.
MEASURED = "measured_by"
# Settings that only say where a worker writes and what it shows.
_PER_WORKER = ("run_dir", "distribution", "verbose")

Sections = dict[str, dict[str, Any]]


def sections(
    data: PreparedDataset, config: TrainingConfig, model_config: Settings
) -> Sections:
    """Returns every setting of a run by its concern."""
    return {
        "data": data.manifest.settings,
        "training": config.to_dict(),
        "model": model_config.to_dict(),
    }


def versions() -> dict[str, str]:
    """Returns the versions of what computes."""
    packages = ("tensorflow", "tensorflow-probability", "keras", "numpy")
    return {
        "tfrec": tfrec.__version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in packages},
    }


def identify(
    data: PreparedDataset, config: TrainingConfig, model_config: Settings
) -> dict[str, Any]:
    """Returns what must be alike on all workers of a job, by its name."""
    settings = {**config.to_dict(), **model_config.to_dict()}
    return {
        **{
            f"--{name}": value
            for name, value in settings.items()
            if name not in _PER_WORKER
        },
        "the vocabulary (checksum)": data.vocabulary.checksum,
        "the data (checksum)": data.manifest.data_checksum,
        **{f"the version of {k}": v for k, v in versions().items()},
    }


def describe(
    folder: Path,
    data: PreparedDataset,
    config: TrainingConfig,
    model_config: Settings,
    **more: Any,
) -> None:
    """Writes `config.json` into a run directory.

    Args:
        folder: The run directory.
        data: What the run is trained on.
        config: How.
        model_config: Settings of its model.
        **more: What else to say of it; None for nothing.

    Raises:
        InputError: If the directory holds another run, naming the settings
            that differ; or if it cannot be written.
    """
    path = folder / FILE_NAME
    if path.exists() and begun(folder):
        saved = read_description(folder)
        check_data(folder, saved, data)
        before = TrainingConfig.from_dict(saved["training"])
        differing = changes(before.identity(), config.identity())
        # The same files can be ranked in two ways.
        differing += changes(
            *(
                DataConfig.from_dict(settings).identity()
                for settings in (saved["data"], data.manifest.settings)
            )
        )
        # A run made before a setting existed has its default.
        known = type(model_config)().to_dict() | saved["model"]
        differing += changes(known, model_config.to_dict())
        if differing:
            raise InputError(
                f"{folder} holds a run with other settings: "
                f"{'; '.join(differing)}. Give it the old settings to resume "
                "it, or give another `--run_dir`."
            )
    values = {
        "format_version": FORMAT_VERSION,
        **sections(data, config, model_config),
        "data_dir": str(data.data_dir.absolute()),
        "data_checksum": data.manifest.data_checksum,
        **{name: value for name, value in more.items() if value is not None},
    }
    write_json(path, sealed(values, _MAY_CHANGE))


def begun(folder: Path) -> bool:
    """Returns whether a run directory holds anything to be resumed.

    A run may have ended before its first checkpoint, because of a setting; then
    others may be given.
    """
    left = ("checkpoints/*", "epochs.csv", "metrics.json", "ranks.npz")
    return any(next(folder.glob(pattern), None) for pattern in left)


def read_description(folder: Path, flag: str = "--run_dir") -> dict[str, Any]:
    """Reads `config.json` of a run directory.

    Args:
        folder: The run directory.
        flag: What named it, for the message.

    Raises:
        InputError: If there is none, one of another format version, or one
            that was changed.
    """
    path = folder / FILE_NAME
    if not path.exists():
        raise InputError(
            f"`{flag}` must be the folder of a run, made by "
            f"`python -m tfrec.train`. Received: {folder}, which has no "
            f"{FILE_NAME}."
        )
    saved = read_json(path)
    version = saved.get("format_version")
    if version != FORMAT_VERSION:
        raise InputError(
            f"{path} has format version {version}; this tfrec "
            f"({tfrec.__version__}) reads version {FORMAT_VERSION}."
        )
    expected = {"data", "training", "model", "data_dir", "data_checksum"}
    if missing := expected - saved.keys():
        raise InputError(
            f"{path} is damaged: it has no {', '.join(sorted(missing))}."
        )
    remedy = "Put the file back, or train another run."
    return opened(path, saved, remedy, _MAY_CHANGE)


def check_data(
    folder: Path, saved: dict[str, Any], data: PreparedDataset
) -> None:
    """Raises `InputError` if a run was trained on another dataset.

    Args:
        folder: The run directory.
        saved: Its description.
        data: The dataset to be used now.
    """
    expected, received = saved["data_checksum"], data.manifest.data_checksum
    if received == expected:
        return
    differing = changes(
        DataConfig.from_dict(saved["data"]).identity(),
        DataConfig.from_dict(data.manifest.settings).identity(),
    )
    why = "; ".join(differing) or (
        f"its data checksum was {expected} and is {received}"
    )
    raise InputError(
        f"{data.data_dir} is not the dataset that {folder} was trained on, so "
        f"items and sequences do not match: {why}. Give back the old data "
        f"({saved['data_dir']}), or train another run."
    )


def changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Names the settings that differ."""

    def shown(value: Any) -> Any:
        return "empty" if value == "" else value

    return [
        f"--{name} was {shown(before.get(name))} and is {shown(now.get(name))}"
        for name in {**before, **now}
        if before.get(name) != now.get(name)
    ]
