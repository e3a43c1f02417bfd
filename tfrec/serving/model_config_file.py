"""`models.config`: written for the models that are there, with their labels."""

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import (
    ModelConfig,
    ModelServerConfig,
)

from tfrec.errors import InputError
from tfrec.serving.model_configs import (
    IMAGE_DIR,
    find_models,
    parse_model_configs,
    version_folders,
    wanted_versions,
)
from tfrec.training.files import locked, write_text

FILE_NAME = "models.config"
_STABLE, _CANARY = "stable", "canary"
_HEAD = """\
# Which models TensorFlow Serving serves: --model_config_file. `tfrec export`
# adds a model that is not here, `tfrec promote --label` moves labels. Both keep
# what else stands here, but no comments.
"""


class ModelConfigFile:
    """The models that are served, their versions and labels."""

    def __init__(self, export_dir: str | Path, path: str | Path = ""):
        """Reads the file, where there is one.

        Args:
            export_dir: Folder of all models.
            path: The file; `models.config` in that folder by default.

        Raises:
            InputError: If it is no configuration.
        """
        self.export_dir = Path(export_dir)
        self.path = Path(path or self.export_dir / FILE_NAME)
        self._exists = self.path.exists()
        self._config = ModelServerConfig()
        if self._exists:
            self._config = parse_model_configs(self.path)
        self._saved = self._config.SerializeToString()

    def add(self, name: str) -> None:
        """Lists a model, and in a new file all that are there.

        Args:
            name: Of the model. One that is listed stays as it is.
        """
        there = [] if self._exists else find_models(self.export_dir)
        listed = {model.name for model in self._models}
        for new in sorted({name, *(m.name for m in there)} - listed):
            self._models.add(
                name=new,
                base_path=str(PurePosixPath(IMAGE_DIR, new)),
                model_platform="tensorflow",
            )

    def label(self, name: str, label: str, version: int) -> dict[str, int]:
        """Gives a version a label, and serves those versions that have one.

        A canary beside nothing stable makes stable what was served. What
        becomes stable ends the canary: its label goes there too, so that who
        asks for it is answered.

        Args:
            name: Of the model, which is listed.
            label: "stable" or "canary".
            version: The version, which is there.

        Returns:
            The versions by label.
        """
        entry = self._entry(name)
        labels = dict(entry.version_labels)
        if label == _STABLE and _CANARY in labels:
            labels[_CANARY] = version
        if label == _CANARY and _STABLE not in labels:
            found = set(version_folders(self.export_dir / name)) - {version}
            if served := wanted_versions(entry, found):
                labels[_STABLE] = max(served)
        labels[label] = version
        entry.version_labels.update(labels)
        policy = entry.model_version_policy
        if policy.WhichOneof("policy_choice") != "all":
            del policy.specific.versions[:]
            policy.specific.versions.extend(sorted(set(labels.values())))
        return labels

    def served(self, name: str, found: Collection[int]) -> int:
        """Returns the version that clients get: the stable one, if one is.

        Args:
            name: Of the model. One that is not listed is served by its newest
                version.
            found: The versions that are there, at least one.

        Raises:
            InputError: If the version that should be served is not there.
        """
        entry = next((m for m in self._models if m.name == name), ModelConfig())
        stable = dict(entry.version_labels).get(_STABLE)
        wanted = set(found) if stable is None else {stable} & set(found)
        if not (wanted := wanted_versions(entry, wanted)):
            raise InputError(
                f"{self.path} serves a version of {name} that is not in "
                f"{self.export_dir / name}. Put it back, or move the label."
            )
        return max(wanted)

    def save(self) -> bool:
        """Writes the file if something changed.

        Returns:
            Whether it did.

        Raises:
            InputError: If it cannot be written.
        """
        if self._saved == self._config.SerializeToString():
            return False
        text = text_format.MessageToString(self._config, as_utf8=True)
        write_text(self.path, _HEAD + text, "--model_config_file")
        return True

    @property
    def _models(self):
        return self._config.model_config_list.config

    def _entry(self, name: str) -> ModelConfig:
        (entry,) = (model for model in self._models if model.name == name)
        return entry


@contextlib.contextmanager
def changing(
    export_dir: str | Path, path: str | Path = ""
) -> Iterator[ModelConfigFile]:
    """Reads the file, and saves it at the end; others wait meanwhile.

    Args:
        export_dir: As for `ModelConfigFile`; it is there.
        path: As for `ModelConfigFile`.

    Raises:
        InputError: If it cannot be read or written.
    """
    with locked(Path(export_dir), "changing", "--export_dir", wait=True):
        file = ModelConfigFile(export_dir, path)
        yield file
        file.save()
