"""Which models are served, in which versions: TensorFlow Serving's terms."""

import collections
import re
import warnings
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import (
    ModelConfig,
    ModelServerConfig,
)

from tfrec.errors import InputError, InputWarning

# Where the official image, and so `models.config`, has the models.
IMAGE_DIR = "/models"
# Of int64, which a version is on every wire.
LARGEST_VERSION = 2**63 - 1
_VERSION = re.compile("[0-9]{1,30}")


def find_models(
    export_dir: Path, known: Collection[str] = ()
) -> list[ModelConfig]:
    """Returns a configuration for every model in a folder.

    A folder whose name is no UTF-8, which no client could ask for, is ignored.
    One that may not be read, as `lost+found` of a volume, is so with a warning.

    Args:
        export_dir: Folder of all models.
        known: Names of models that were there before: those must be readable.

    Raises:
        InputError: If a folder cannot be read.
    """
    if not _is_text(str(export_dir)):
        raise InputError(
            f"The name of `--export_dir` must be UTF-8. Received: "
            f"{str(export_dir)!r}."
        )
    if not export_dir.is_dir():
        raise InputError(
            f"`--export_dir` must be a folder. Received: {export_dir}."
        )
    return [
        ModelConfig(name=path.name, base_path=str(path))
        for path in sorted(export_dir.iterdir())
        if _is_text(path.name)
        and path.is_dir()
        and _has_versions(path, path.name in known)
    ]


class FoundModels:
    """Finds the models of a folder, again and again; see `find_models`.

    A model that was there, and whose folder cannot be read now, is not gone:
    that is an error.
    """

    def __init__(self, export_dir: Path):
        self._export_dir = export_dir
        self._known: list[str] = []

    def __call__(self) -> list[ModelConfig]:
        """Returns a configuration for every model."""
        models = find_models(self._export_dir, self._known)
        self._known = [model.name for model in models]
        return models


def _has_versions(path: Path, known: bool) -> bool:
    try:
        return bool(version_folders(path))
    except InputError as error:
        if known or not isinstance(error.__cause__, PermissionError):
            raise
        warnings.warn(f"No model of it: {error}", InputWarning, stacklevel=3)
        return False


def _is_text(name: str) -> bool:
    # Python reads bytes of a name that are no UTF-8 as halves of surrogates.
    return name == name.encode(errors="replace").decode()


def read_model_configs(path: Path, export_dir: Path) -> list[ModelConfig]:
    """Reads a file as `--model_config_file` of TensorFlow Serving takes it.

    Args:
        path: A ModelServerConfig in protobuf's text format.
        export_dir: Where base paths below /models are looked for.

    Raises:
        InputError: If it cannot be read, lists no model, or one twice.
    """
    models = list(parse_model_configs(path).model_config_list.config)
    if not models:
        raise InputError(
            f"{path} must have `model_config_list {{ config {{ … }} }}` with "
            "at least one model."
        )
    names = collections.Counter(model.name for model in models)
    for model in models:
        base = PurePosixPath(model.base_path)
        if not (model.name and model.base_path):
            raise InputError(f"{path}: every model needs name and base_path.")
        if names[model.name] > 1:
            raise InputError(
                f"{path} must have each model once. Received: {model.name} "
                f"{names[model.name]} times."
            )
        if base.is_relative_to(IMAGE_DIR):
            model.base_path = str(export_dir / base.relative_to(IMAGE_DIR))
    return models


def parse_model_configs(path: Path) -> ModelServerConfig:
    """Returns what a file holds, which may list no model.

    Raises:
        InputError: If it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return text_format.Parse(text, ModelServerConfig())
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise InputError(
            f"{path} cannot be read as a model configuration: {error}."
        ) from error


def version_folders(base: Path) -> dict[int, Path]:
    """Returns the versions in a model's folder; other names are ignored.

    Raises:
        InputError: If it cannot be read.
    """
    try:
        return {
            int(path.name): path
            for path in base.iterdir()
            if _VERSION.fullmatch(path.name)
            and int(path.name) <= LARGEST_VERSION
            and path.is_dir()
        }
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise InputError(f"{base} cannot be read: {error.strerror}.") from error


def wanted_versions(model: ModelConfig, found: set[int]) -> set[int]:
    """Returns those of the found versions that its policy serves.

    The policy is the newest version, the `num_versions` newest, specific ones
    or all.
    """
    policy = model.model_version_policy
    kind = policy.WhichOneof("policy_choice")
    if kind == "all":
        return found
    if kind == "specific":
        return found & set(policy.specific.versions)
    return set(sorted(found)[-(policy.latest.num_versions or 1) :])
