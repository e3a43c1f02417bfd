"""Lists of an export, as a server would give them."""

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfrec.data import PreparedDataset
from tfrec.data.histories import History
from tfrec.errors import InputError
from tfrec.integrity import file_checksum
from tfrec.lists.candidates import read_ids
from tfrec.lists.config import SourceConfig
from tfrec.lists.source import Listed, batches
from tfrec.serving.model_configs import find_models, version_folders
from tfrec.serving.servable import list_length, load_version

_AMONG = "among"


class ExportSource:
    """An export, asked as a server would ask it; see `Source`.

    Args:
        config: Names the export and the candidates.
        data: The dataset of the users: the one of the training, or another
            that has the same ids.
        version: Which answers; the newest by default.

    Raises:
        InputError: If there is no such export, or it cannot do what is asked.
    """

    def __init__(
        self, config: SourceConfig, data: PreparedDataset, version: int = 0
    ):
        self.data = data
        path = find_version(Path(config.export_dir), config.name, version)
        self._path, self._k = path, config.k
        self._servable = load_version(path)
        self._extra: dict[str, list[str]] = {}
        self._signature = self._servable.recommending()
        if config.allow or config.deny:
            if _AMONG not in self._servable.signature_defs:
                raise InputError(
                    f"{path} has no signature `{_AMONG}`, which `--allow` and "
                    "`--deny` need. Export the run again."
                )
            self._signature = self._servable.signature(_AMONG)
            self._extra = {
                key: list(read_ids(file, f"--{flag}")) if file else [""]
                for key, flag, file in (
                    ("allowed", "allow", config.allow),
                    ("denied", "deny", config.deny),
                )
            }
        most = list_length(self._signature)
        if config.k > most:
            raise InputError(
                f"`--k` must be at most {most}, with which {path} was "
                f"exported. Received: {config.k}."
            )

    @functools.cached_property
    def identity(self) -> dict[str, Any]:
        """See `Source`: the files of the version."""
        digest = hashlib.sha256()
        for path in sorted(self._path.rglob("*")):
            if path.is_file():
                digest.update(str(path.relative_to(self._path)).encode())
                digest.update(file_checksum(path).encode())
        return {"export": digest.hexdigest()}

    def best(self, histories: Sequence[History]) -> list[Listed]:
        """See `Source`."""
        answers: list[Listed | None] = [None] * len(histories)
        for rows in batches(histories, self.data.num_items):
            inputs = self._inputs([histories[row] for row in rows])
            answer = self._servable.run(
                self._signature, inputs, ("items", "scores")
            )
            for row, items, scores in zip(
                rows, answer["items"], answer["scores"], strict=True
            ):
                names = [item.decode() for item in items[: self._k] if item]
                values = scores[: len(names)].tolist()
                answers[row] = Listed(names, values)
        return answers

    def _inputs(self, histories: Sequence[History]) -> dict[str, np.ndarray]:
        rows, length = len(histories), max(len(h.items) for h in histories)
        padded = np.full([rows, length], "", object)
        for row, history in zip(padded, histories, strict=True):
            names = self.data.vocabulary.lookup(history.items)
            row[: len(names)] = names
        inputs = {"history": padded}
        if "user" in self._signature.inputs:
            names = [history.name for history in histories]
            inputs["user"] = np.array(names, object)
        for key, names in self._extra.items():
            inputs[key] = np.tile(np.array([names], object), [rows, 1])
        return inputs


def find_version(export_dir: Path, name: str, version: int = 0) -> Path:
    """Returns the folder of a model's version.

    Args:
        export_dir: Folder of all exported models.
        name: Of the model; the only one by default.
        version: Its number; the newest by default.

    Raises:
        InputError: If there is none.
    """
    names = [model.name for model in find_models(export_dir)]
    if not name and len(names) == 1:
        (name,) = names
    if name not in names:
        raise InputError(
            f"`--name` must be a model that was exported to {export_dir}: "
            f"{', '.join(names) or 'there is none'}. Received: {name or '-'}."
        )
    versions = version_folders(export_dir / name)
    if version and version not in versions:
        raise InputError(
            f"{export_dir / name} has no version {version}. It has "
            f"{', '.join(map(str, sorted(versions)))}."
        )
    return versions[version or max(versions)]
