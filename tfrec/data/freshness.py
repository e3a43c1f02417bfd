"""Which folder has what the raw files hold now."""

import dataclasses
import os
import warnings
from pathlib import Path
from typing import Any

from tfrec.data import raw_files
from tfrec.data.config import DataConfig
from tfrec.data.manifest import FILE_NAME, Manifest
from tfrec.data.sources import Source
from tfrec.errors import InputError, InputWarning


def current_folder(
    config: DataConfig, source: Source
) -> tuple[Path, list[dict[str, Any]]]:
    """Returns where the dataset of the raw files is, or is to be prepared.

    That is `config.data_path`, or a folder beside it if it was prepared from
    what the raw files no longer hold.

    Args:
        config: What to prepare, from where, where to.
        source: Reads the raw files; downloads them if nothing was prepared.

    Returns:
        The folder, which may be absent, and what `raw_files.describe` says
        of the raw files.

    Raises:
        InputError: If the raw files are absent, if a folder was prepared with
            other settings, or if it is to stop at raw files that changed.
    """
    target = config.data_path
    if not (target / FILE_NAME).exists():
        refuse_occupied(target)
        source.fetch(config)
        return target, describe(config, source)
    held = Manifest.load(target)
    refuse_other(held, config, target)
    if config.data_dir and not config.raw_dir and not source.given:
        # Nobody named raw files: whatever lies at their default is not these.
        return target, held.raw_files
    try:
        found = describe(config, source, held.raw_files)
    except InputError as error:
        if config.raw_dir:
            raise InputError(
                f"{error} Without `--raw_dir`, and with "
                f"--data_dir={target}, the dataset is used as it was prepared."
            ) from error
        # Nobody asked for raw files, and there are none to compare.
        return target, held.raw_files
    if held.appended_to:
        # The earlier files may be gone: any of all that were read will do.
        changed = raw_files.others(held.raw_files, found)
    else:
        changed = raw_files.changes(held.raw_files, found)
    if not changed:
        return target, found
    said = f"The raw files changed since {target} was prepared: "
    said += _listed(changed)
    if held.appended_to and config.raw_changed != "keep":
        raise InputError(
            f"{said}. It was made with `--append`: append them too, with "
            f"`tfrec prepare --append={target}` and another `--data_dir`. "
            "`--raw_changed=keep` uses this one as it is."
        )
    if config.raw_changed == "stop":
        raise InputError(
            f"{said}. `--raw_changed=prepare` prepares them in another folder, "
            "`--raw_changed=keep` uses this one."
        )
    fresh = target
    if config.raw_changed == "prepare":
        fresh = target.with_name(f"{target.name}-{raw_files.digest(found)}")
    warnings.warn(f"{said}. Using {fresh}.", InputWarning, stacklevel=4)
    if fresh == target:
        return target, found
    if (fresh / FILE_NAME).exists():
        refuse_other(Manifest.load(fresh), config, fresh, found)
    else:
        refuse_occupied(fresh)
    return fresh, found


def refuse_other(
    held: Manifest,
    config: DataConfig,
    folder: Path,
    found: list[dict[str, Any]] | None = None,
) -> None:
    """Raises if a folder holds another dataset than it should.

    Args:
        held: Its manifest.
        config: What should be there.
        folder: The folder.
        found: Descriptions of the raw files it should be of; any, if None.

    Raises:
        InputError: If the settings or the raw files differ: which.
    """
    # What was prepared before a setting existed has its default.
    defaults = {f.name: f.default for f in dataclasses.fields(DataConfig)}
    before = defaults | held.settings
    differing = [
        f"{name}={before.get(name)} (asked for: {value})"
        for name, value in config.identity().items()
        if before.get(name) != value
    ]
    if found is not None:
        differing += raw_files.changes(held.raw_files, found)
    if differing:
        raise InputError(
            f"`--data_dir` ({folder}) holds a dataset prepared with "
            f"{', '.join(differing)}. Give another folder, or delete this one "
            "to prepare it again."
        )


def refuse_occupied(target: Path) -> None:
    """Raises `InputError` if a folder cannot be made where something is."""
    if target.exists() and (
        not target.is_dir()
        or any(target.iterdir())
        or target.samefile(os.curdir)
    ):
        raise InputError(
            "`--data_dir` must be a new or empty folder, not the working "
            f"directory, or a prepared dataset. Received: {target}."
        )


def refuse_changes(
    known: list[dict[str, Any]], config: DataConfig, source: Source
) -> None:
    """Raises `InputError` if raw files changed while they were read."""
    changed = raw_files.changes(known, describe(config, source, known))
    if changed:
        raise InputError(
            f"The raw files changed while they were read: {_listed(changed)}. "
            "Run it again once they are written."
        )


def describe(
    config: DataConfig, source: Source, known: list[dict[str, Any]] = ()
) -> list[dict[str, Any]]:
    """Returns what `raw_files.describe` says of the raw files of a source.

    Args:
        config: Where they are.
        source: Finds them.
        known: Earlier descriptions.

    Raises:
        InputError: If they are absent or cannot be read.
    """
    if config.raw_dir and not config.raw_path.exists():
        raise InputError(
            f"`--raw_dir` must be there. Received: {config.raw_dir}, where "
            "nothing is."
        )
    files, titles = source.files(config), source.title_files(config)
    return raw_files.describe(files, known, titles)


def _listed(changed: list[str]) -> str:
    shown = ", ".join(changed[:3])
    more = len(changed) - 3
    return f"{shown} and {more} more" if more > 0 else shown
