"""The card of a version: what it is, how good it is, where it comes from."""

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfrec.errors import InputError
from tfrec.integrity import file_checksum
from tfrec.reporting.card import command
from tfrec.serving.checksums import check_checksums
from tfrec.training.comparison import Measured
from tfrec.training.description import FILE_NAME, versions
from tfrec.training.files import read_json, write_json
from tfrec.training.run import METRICS, RANKS, Run

# Where TensorFlow Serving looks for nothing but its warm-up requests.
EXTRA = "assets.extra"
CARD = "card.json"
_FORMAT_VERSION = 1


def write_card(
    folder: Path,
    run: Run,
    measured: Measured,
    found: Mapping[str, Any],
    promoted_by: str,
) -> None:
    """Writes the card of a SavedModel, below which its ranks are already.

    Args:
        folder: Folder of the SavedModel.
        run: What was exported.
        measured: The same, with its numbers.
        found: What was measured for the promotion, by name.
        promoted_by: The command.
    """
    numbers, manifest = measured.numbers, run.data.manifest
    now = datetime.datetime.now(datetime.timezone.utc)
    card = {
        "format_version": _FORMAT_VERSION,
        "model": run.config.model,
        "promoted": now.isoformat(timespec="seconds"),
        "data": {
            "dataset": manifest.source,
            "checksum": manifest.data_checksum,
            "items": run.data.num_items,
            "steps": manifest.counts,
        },
        "protocol": numbers["protocol"],
        "scores": numbers["metrics"],
        **found,
        "versions": {"training": numbers["versions"], "export": versions()},
        # Of the run. Those of this folder are in SHA256SUMS.
        "checksums": {
            name: file_checksum(run.folder / name)
            for name in (FILE_NAME, METRICS, RANKS)
        },
        "commands": {
            "train": command(measured.settings),
            "promote": promoted_by,
        },
        "run": {
            "folder": str(run.folder.absolute()),
            "data_dir": str(run.data.data_dir.absolute()),
            "settings": {
                key: measured.settings[key]
                for key in ("data", "training", "model")
            },
            "numbers": numbers,
        },
    }
    write_json(folder / EXTRA / CARD, card, "--export_dir")


def read_card(version: Path) -> dict[str, Any]:
    """Reads the card of a version, whose files must be what was written.

    Raises:
        InputError: If a file was changed, or the card is of another format.
    """
    check_checksums(version)
    card = read_json(version / EXTRA / CARD)
    if card.get("format_version") != _FORMAT_VERSION:
        raise InputError(
            f"{version / EXTRA / CARD} must have format version "
            f"{_FORMAT_VERSION}. Received: {card.get('format_version')}. Give "
            "its run instead."
        )
    return card
