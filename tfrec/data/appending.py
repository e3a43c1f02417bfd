"""From a prepared dataset and the files of a new day to the next dataset."""

from pathlib import Path
from typing import Any

from tfrec.data import records
from tfrec.data.config import DataConfig
from tfrec.data.datasets import DATASETS
from tfrec.data.freshness import describe, refuse_occupied, refuse_other
from tfrec.data.manifest import FILE_NAME, Manifest, prepare_command
from tfrec.data.preparation import fill, open_prepared
from tfrec.data.prepared import PreparedDataset
from tfrec.data.sources import Source, get_source
from tfrec.data.sources.appended import AppendedSource
from tfrec.data.sources.frame import frame_source
from tfrec.errors import InputError

# What does not come from the prepared dataset: where things lie, and what the
# work may use.
_OF_THE_DAY = (
    "raw_dir",
    "raw_files",
    "raw_changed",
    "data_dir",
    "engine",
    "engine_url",
    "memory_limit",
    "threads",
)


def append(
    folder: str | Path, table: Any = None, **given: Any
) -> PreparedDataset:
    """Prepares a prepared dataset's log and later files as one log.

    The dataset is what `prepare` makes of all raw files together, the later
    ones last. The earlier ones are not read, and may be gone. `folder` is left
    as it is; the same call again opens what was prepared.

    Args:
        folder: A dataset that was prepared with `keep_log`.
        table: The later events, in place of files, see `prepare`.
        **given: Settings of `DataConfig`: `raw_dir`, the later files;
            `data_dir`, where to. Those that decide what a dataset holds come
            from `folder`.

    Raises:
        InputError: If the folder has no log, a setting contradicts it, or a
            file is in it already; see also `prepare`.

    Example:

        append("data/monday", raw_dir="tuesday.csv", data_dir="data/tuesday")
    """
    place = Path(folder).expanduser()
    if not folder or not (place / FILE_NAME).exists():
        raise InputError(
            "`--append` must be a prepared dataset: a folder with "
            f"{FILE_NAME}. Received: {str(folder)!r}."
        )
    held = Manifest.load(place)
    _refuse_without_log(place, held)
    config = _config(place, held, given)
    if table is not None:
        with frame_source(table, config) as source:
            return _append(place, held, config, source)
    if not config.raw_dir:
        raise InputError("`--raw_dir` must be given with --append: new files.")
    return _append(place, held, config, get_source(config.dataset))


def _append(
    folder: Path, held: Manifest, config: DataConfig, source: Source
) -> PreparedDataset:
    source = AppendedSource(source, folder, held)
    found = describe(config, source)
    target = config.data_path
    _refuse_known(found, held, folder)
    if not (target / FILE_NAME).exists():
        refuse_occupied(target)
        for file in held.log["files"]:
            records.verify_file(folder, file)
        fill(target, source, config, found)
    there = Manifest.load(target)
    refuse_other(there, config, target)
    expected, received = (
        [file["sha256"] for file in files]
        for files in ([*held.raw_files, *found], there.raw_files)
    )
    if expected != received:
        raise InputError(
            f"`--data_dir` ({target}) holds another dataset than that of "
            f"{folder} and {config.raw_dir or 'the table'}. Give another "
            "folder, or delete this one to prepare it again."
        )
    return open_prepared(target, config)


def _config(folder: Path, held: Manifest, given: dict[str, Any]) -> DataConfig:
    """Returns the settings of a dataset, with those that are given.

    Raises:
        InputError: If one of these contradicts it, means nothing, or there is
            no folder to write to.
    """
    base = DataConfig.from_dict(held.settings)
    fixed = base.identity()
    for name, value in given.items():
        if name in fixed and value != fixed[name]:
            raise InputError(
                f"`--{name}` must be left out, or be what {folder} was "
                f"prepared with: {fixed[name]}. `--append` takes it from "
                f"there. Received: {value}."
            )
    if "raw_changed" in given:
        raise InputError("`--raw_changed` means nothing with --append.")
    values = base.to_dict() | {"keep_log": True}
    for name in _OF_THE_DAY:
        del values[name]
    config = DataConfig.from_dict(values | given)
    config.refuse_unused(given)
    if not config.data_dir or config.data_path.resolve() == folder.resolve():
        raise InputError(
            "`--data_dir` must be a folder of its own for what --append "
            f"prepares. Received: {config.data_dir!r}."
        )
    return config


def _refuse_without_log(folder: Path, held: Manifest) -> None:
    dataset = DATASETS[held.source]
    if "keep_log" not in dataset.settings:
        names = [d.name for d in DATASETS.values() if "keep_log" in d.settings]
        raise InputError(
            "`--append` must be a dataset whose events have times, of "
            f"{', '.join(names)}. Received: {folder}, of {dataset.name}, which "
            "has none in its files. Prepare all of it anew."
        )
    if held.log:
        return
    command = prepare_command(
        {**held.settings, "keep_log": True}, folder, held.appended_to
    )
    raise InputError(
        f"`--append` must be a dataset that has its log. Received: {folder}, "
        "which was prepared without `--keep_log`. Delete the folder and run "
        f"`{command}`."
    )


def _refuse_known(
    found: list[dict[str, Any]], held: Manifest, folder: Path
) -> None:
    """Raises if a file was read before, or stands there twice.

    Files of titles may be the same.
    """
    known = {
        file["sha256"]: f"{folder} has it already, as {file['file']}"
        for file in held.raw_files
        if not file["titles"]
    }
    for file in found:
        if file["titles"]:
            continue
        if file["sha256"] in known:
            raise InputError(
                f"`--raw_dir` must have files that are new. Received: "
                f"{file['file']}; {known[file['sha256']]} (equal SHA-256)."
            )
        known[file["sha256"]] = f"it stands there twice, as {file['file']}"
