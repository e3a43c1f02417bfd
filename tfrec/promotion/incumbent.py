"""What a candidate is compared with: a run, or a version and its card."""

import functools
from pathlib import Path

from tfrec.errors import InputError
from tfrec.metrics.ranks import Ranks
from tfrec.promotion.card import CARD, EXTRA, read_card
from tfrec.serving.model_config_file import ModelConfigFile
from tfrec.serving.model_configs import version_folders
from tfrec.training import description
from tfrec.training.comparison import Measured, read_runs
from tfrec.training.run import RANKS

_MODEL = "saved_model.pb"


class Promoted(Measured):
    """A version that was promoted, with the ranks of its run."""

    @classmethod
    def of(cls, version: Path, data_dir: str | Path = "") -> "Promoted":
        """Reads the card of a version.

        Args:
            version: Its folder.
            data_dir: Where its dataset is now; where it was by default.

        Raises:
            InputError: If it has none, or a file was changed.
        """
        if not (version / EXTRA / CARD).exists():
            raise InputError(
                f"{version} has no {EXTRA}/{CARD}, which says how good it is: "
                "it was exported without `tfrec promote`. Give its run instead."
            )
        saved = read_card(version)["run"]
        return cls(
            version,
            saved["settings"],
            saved["numbers"],
            Path(data_dir or saved["data_dir"]),
        )

    @functools.cached_property
    def ranks(self) -> Ranks:
        """The ranks of its test."""
        return Ranks.load(self.folder / EXTRA / RANKS)


def read_incumbent(against: str, served: ModelConfigFile) -> Measured:
    """Reads what a candidate is compared with.

    Args:
        against: A run, a version, or the folder of a model's versions.
        served: Says which version is stable.

    Raises:
        InputError: If it is none of these, it was not promoted or measured, or
            a file was changed.
    """
    folder = Path(against)
    if (folder / description.FILE_NAME).exists():
        (run,) = read_runs([folder])
        return run
    return Promoted.of(_version(folder, served))


def is_version(path: str | Path) -> bool:
    """Returns whether a folder is that of a SavedModel."""
    return Path(path, _MODEL).exists()


def _version(folder: Path, served: ModelConfigFile) -> Path:
    if is_version(folder):
        return folder
    versions = version_folders(folder)
    if not versions:
        raise InputError(
            "`--against` must be a run, a version that was exported, or the "
            "folder of a model's versions. Without it, as for a first "
            f"deployment, nothing is compared. Received: {folder}."
        )
    # As the name of that folder, whatever it is called in the path.
    return versions[served.served(folder.resolve().name, versions)]
