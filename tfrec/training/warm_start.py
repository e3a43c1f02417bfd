"""`--init_from`: a run that starts from the weights of another one.

Vocabularies are matched by id. What stands for an item or a user that both
runs know keeps what the other run learned; see `tfrec.layers.rows` for what is
new. Optimizers start anew.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from tfrec.data import PreparedDataset
from tfrec.data.manifest import Manifest
from tfrec.data.vocabulary import FILE_NAME, USERS, Vocabulary
from tfrec.errors import InputError
from tfrec.layers import rows
from tfrec.models import Recommender, get_model
from tfrec.models.base.inheritance import inherit, used
from tfrec.settings import Settings
from tfrec.training.checkpoints import SelectedWeights, selected_checkpoint
from tfrec.training.config import TrainingConfig
from tfrec.training.description import changes, read_description
from tfrec.training.run import CHECKPOINTS


@dataclasses.dataclass(frozen=True)
class Start:
    """The run that another one starts from.

    Attributes:
        folder: Its directory.
        saved: What its `config.json` holds.
        matches: Where items and users of the new run stood in it.
    """

    folder: Path
    saved: dict[str, Any]
    matches: dict[str, rows.Match]

    @classmethod
    def read(cls, data: PreparedDataset, config: TrainingConfig) -> "Start":
        """Reads the run that `config.init_from` names, but for its weights.

        Args:
            data: What the new run is trained on.
            config: Its settings.

        Raises:
            InputError: If there is no such run, it has a model of another
                kind, its dataset is not there, or shares no item.
        """
        folder = Path(config.init_from)
        saved = read_description(folder, "--init_from")
        selected_checkpoint(folder / CHECKPOINTS)
        model = saved["training"]["model"]
        if model != config.model:
            raise InputError(
                "`--init_from` must name a run of the same model. Received: "
                f"{folder}, a run of {model}, for one of {config.model}."
            )
        if get_model(config.model).one_pass:
            # Its counts follow from the new data alone.
            return cls(folder, saved, {})
        place = _older_data(folder, saved, data)
        matches = {
            rows.ITEMS: _match(Vocabulary.load(place), data.vocabulary),
            rows.USERS: _match(Vocabulary.load(place, USERS), data.users),
        }
        if not matches[rows.ITEMS].kept:
            raise InputError(
                f"`--init_from` must name a run that shares items with "
                f"{data.data_dir}. Received: {folder}, which has none of its "
                f"{data.num_items:,} items: are the ids of one kind?"
            )
        return cls(folder, saved, matches)

    def give(self, model: Recommender, model_config: Settings) -> str:
        """Gives the weights to a model; returns what was done, in a sentence.

        Args:
            model: Built, and after `adapt`.
            model_config: Its settings.

        Raises:
            InputError: If the sizes differ, or the weights cannot be read.
        """
        if not self.matches:
            return (
                f"Nothing is taken from {self.folder}: this model has counted "
                "anew all that it knows."
            )
        matches = used(model, self.matches)
        users = matches.get(rows.USERS)
        if users and bool(users.size) != bool(len(users.places)):
            of_users, of_sessions = f"{self.folder}", "this dataset"
            if not users.size:
                of_users, of_sessions = of_sessions, of_users
            raise InputError(
                "`--init_from` must name a run on users for a dataset of "
                "users, and on sessions for one of sessions. Received: "
                f"{self.folder}; {of_users} has users and {of_sessions} has "
                "none."
            )
        selected = SelectedWeights(self.folder / CHECKPOINTS, model)
        try:
            inherit(model, selected, matches)
        except InputError as error:
            known = type(model_config)().to_dict() | self.saved["model"]
            differing = changes(known, model_config.to_dict())
            raise InputError(
                f"`--init_from` must name a {self.saved['training']['model']} "
                f"of the same sizes. Received: {self.folder}; {error}. "
                f"Settings that differ: {'; '.join(differing) or 'none'}."
            ) from error
        counts = ", ".join(
            f"{match.kept:,} {of} known, {match.new:,} new, {match.gone:,} gone"
            for of, match in matches.items()
        )
        return f"Started from the weights of {self.folder}: {counts}."


def _older_data(
    folder: Path, saved: dict[str, Any], data: PreparedDataset
) -> Path:
    """Returns where the vocabularies of a run are."""
    checksum = saved["data_checksum"]
    if checksum == data.manifest.data_checksum:
        return data.data_dir
    place = Path(saved["data_dir"])
    needed = (
        f"`--init_from` ({folder}) needs the dataset that its run was trained "
        f"on, {place}, for {FILE_NAME}"
    )
    try:
        manifest = Manifest.load(place)
        manifest.check_files(place)
    except InputError as error:
        raise InputError(f"{needed}. {error}") from error
    found = manifest.data_checksum
    if found != checksum:
        raise InputError(
            f"{needed}, and that has changed: its data checksum was {checksum} "
            f"and is {found}. Prepare other data into another folder."
        )
    return place


def _match(older: Vocabulary, newer: Vocabulary) -> rows.Match:
    return rows.Match(older.index(newer.items).astype(np.int64) - 1, older.size)
