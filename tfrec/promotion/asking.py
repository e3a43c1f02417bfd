"""What a version recommends on a test that is not the one of its run.

Every night has new data, and a test of its own. Ranks that were kept are then
of another test; the version itself can be asked, as its clients do.
"""

import dataclasses
from pathlib import Path

import numpy as np

from tfrec.data import DataConfig, PreparedDataset
from tfrec.data.protocols import get_protocol
from tfrec.errors import InputError
from tfrec.metrics.ranking import NEVER, metric_of
from tfrec.metrics.ranks import Ranks, padded
from tfrec.serving.servable import (
    Servable,
    list_length,
    load_version,
    rows_at_once,
)
from tfrec.training.comparison import Measured


@dataclasses.dataclass(frozen=True)
class Asked(Measured):
    """A version, measured on another test than that of its run.

    Attributes:
        lists: Where it has the targets in its lists.
    """

    lists: Ranks

    @property
    def ranks(self) -> Ranks:
        """As `Measured`, for cutoffs up to the length of its lists."""
        return self.lists


def ask(version: Measured, data: PreparedDataset, metric: str) -> Asked:
    """Measures a version on the test of a dataset, by its lists.

    Items are matched by their ids: what the version does not know, it skips
    in histories and never recommends.

    Args:
        version: One that was promoted.
        data: The dataset.
        metric: What its lists must be long enough for.

    Raises:
        InputError: If they are too short, or have the items of the history
            where the dataset leaves them out, or the other way round.
    """
    folder = version.folder
    before = get_protocol(DataConfig.from_dict(version.settings["data"]))
    if before.exclude_history != data.protocol.exclude_history:
        raise InputError(
            f"{folder} cannot be compared on {data.data_dir}: its history is "
            f"{_ranked(before)}, and there it is {_ranked(data.protocol)} "
            "(`--protocol`, `--rank_history`)."
        )
    servable = load_version(folder)
    try:
        return Asked(
            folder,
            version.settings,
            version.numbers,
            data.data_dir,
            _ranks(servable, data, metric, folder),
        )
    finally:
        servable.close()


def _ranked(protocol) -> str:
    return "excluded" if protocol.exclude_history else "ranked"


def _ranks(
    servable: Servable, data: PreparedDataset, metric: str, folder: Path
) -> Ranks:
    signature = servable.recommending()
    for_user = "user" in signature.inputs
    length = list_length(signature)
    if metric_of(metric).k > length:
        raise InputError(
            f"{folder} was tested on other data, so its lists are compared, "
            f"which have {length} items. Give a `--metric` at {length} at "
            f"most. Received: {metric}."
        )
    items = np.array(["", *data.vocabulary.items], object)
    users = np.array(["", *data.users.items], object) if for_user else None
    ranks, records = [], []
    rows = rows_at_once(data.num_items)
    for batch in data.evaluation("test", rows):
        history, targets = batch.history.numpy(), batch.targets.numpy()
        # Items that only the test has have no name here.
        inputs = {"history": items[np.where(history < len(items), history, 0)]}
        if for_user:
            inputs["user"] = users[batch.user.numpy()]
        answer = servable.run(signature, inputs, ["items"])["items"]
        listed = np.stack(
            [
                data.vocabulary.index(item.decode() for item in row)
                for row in answer
            ]
        )
        there = targets[:, :, None] == listed[:, None, :]
        place = np.where(there.any(2), 1 + there.argmax(2), NEVER)
        ranks.append(np.where(targets > 0, place, 0).astype(np.int32))
        records.append(batch.record.numpy())
    # As `tfrec.training.ranking.rank` orders them.
    order = np.argsort(np.concatenate(records), kind="stable")
    return Ranks(
        padded(ranks)[order],
        np.concatenate(records)[order],
        np.zeros(data.num_items, np.int64),
    )
