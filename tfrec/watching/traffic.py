"""The requests of a log, by the version that answered."""

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np

from tfrec.data import PreparedDataset
from tfrec.errors import InputError
from tfrec.training.config import TrainingConfig
from tfrec.training.progress import Bar
from tfrec.watching.reading import Logged, read_logs, total_bytes
from tfrec.watching.served import Served

_MB = 2**20


def read_traffic(
    paths: Sequence[Path], data: PreparedDataset, name: str = "", seed: int = 0
) -> tuple[str, dict[int, Served]]:
    """Reads the requests to a model.

    Args:
        paths: Files of the log.
        data: What the model was trained on.
        name: Of the model in the server; the only one in the log by default.
        seed: Of the samples that are kept.

    Returns:
        The model's name, and what is known by version, rising; 0 for answers
        that do not name theirs.

    Raises:
        InputError: If a file is no log or is damaged, there are no requests to
            this model, or it is another model.
    """
    rng = np.random.default_rng(seed)
    wanted, found = name, {}
    others: set[str] = set()
    bar = Bar(
        TrainingConfig(), "Reading requests (MiB)", total_bytes(paths) // _MB
    )
    try:
        for record in read_logs(paths, lambda done: bar.update(done // _MB)):
            asked, version = _answering(record)
            name = name or asked
            if asked != name and not wanted:
                raise InputError(
                    f"The log has requests to {name} and to {asked} "
                    f"({record.place}). Say by `--name` which is watched."
                )
            if asked != name:
                others.add(asked)
                continue
            if version not in found:
                found[version] = Served(data, rng)
            found[version].add(record)
    finally:
        bar.close()
    if not found:
        _refuse_nothing(name, others, paths)
    return name, dict(sorted(found.items()))


def first_asked(paths: Sequence[Path], name: str = "") -> tuple[str, int]:
    """Returns the model and the version that answered first in a log.

    Args:
        paths: Files of the log.
        name: Of the model; any by default.

    Raises:
        InputError: If there is none.
    """
    others = set()
    for record in read_logs(paths):
        asked, version = _answering(record)
        if name in ("", asked):
            return asked, version
        others.add(asked)
    _refuse_nothing(name, others, paths)


def _answering(record: Logged) -> tuple[str, int]:
    """Returns the model and the version that answered."""
    log = record.log
    if not log.HasField("predict_log"):
        raise InputError(
            f"{record.place} must be of Predict, which is all that exported "
            f"models answer. Received: {log.WhichOneof('log_type')}."
        )
    asked = log.predict_log.request.model_spec
    answered = log.predict_log.response.model_spec
    spec = answered if answered.name else log.log_metadata.model_spec
    return spec.name or asked.name, spec.version.value


def _refuse_nothing(
    name: str, others: set[str], paths: Sequence[Path]
) -> NoReturn:
    where = str(paths[0])
    if len(paths) > 1:
        where = f"{len(paths)} files such as {paths[0]}"
    there = f" There are some to {', '.join(sorted(others))}." if others else ""
    to = f" to {name}" if name else ""
    raise InputError(f"There are no requests{to} in {where}.{there}")


def choose_version(found: dict[int, Served], version: int = 0) -> int:
    """Returns the version that is watched: the newest by default.

    Raises:
        InputError: If it has no requests.
    """
    if version and version not in found:
        raise InputError(
            "`--version` must be one that answered: "
            f"{', '.join(map(str, found))}. Received: {version}."
        )
    return version or max(found)
