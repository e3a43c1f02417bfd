"""The manifest: what a prepared dataset holds and how it was made."""

import dataclasses
import hashlib
import importlib.metadata
import json
import platform
import shlex
import warnings
from pathlib import Path
from typing import Any

import tfrec
from tfrec.data.config import DataConfig
from tfrec.data.manifest_checks import check_values
from tfrec.data.titles import FILE_NAME as TITLES
from tfrec.data.titles import titles_checksum
from tfrec.data.vocabulary import FILE_NAME as VOCABULARY
from tfrec.data.vocabulary import REMEDY, USERS, Vocabulary
from tfrec.errors import InputError, InputWarning
from tfrec.integrity import check_file, file_checksum, opened, sealed
from tfrec.settings import flag_text

FORMAT_VERSION = 2
FILE_NAME = "manifest.json"


def versions(engine: str = "duckdb") -> dict[str, str]:
    """Versions of what shapes a prepared dataset.

    Args:
        engine: `DataConfig.engine`; its package is called so too.
    """
    packages = ("tensorflow", "ibis-framework", engine)
    return {
        "tfrec": tfrec.__version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in packages},
    }


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What `manifest.json` says.

    Attributes:
        source: Name of the dataset: "ml-1m".
        settings: Every setting of the preparation; they name the protocol.
        counts: What each step left, in order: {step, interactions,
            sequences, items}.
        mean_length: Interactions per sequence, after the filters.
        density: Interactions / (sequences x items).
        splits: For each split of the protocol: {records, tokens, max_length,
            shards: [{file, records, bytes, sha256}]}, as
            `ShardWriter.summary` gives it; for validation and test as well
            {targets, targets_in_history, unseen_targets}, see
            `examples.count_targets`, and {gaps}, see `gaps.GapWriter`, which
            datasets prepared earlier do not have.
        data_checksum: See `data_checksum`.
        files: See `file_checksums`; empty if an earlier tfrec wrote it.
        short_sequences: Sequences that are not in train because their
            training part has fewer than 2 items.
        duplicates: Events of the raw log with the sequence, item and
            timestamp of an earlier one.
        raw_files: The raw files as they were; see `raw_files.describe`.
        bad_rows: What was skipped, see `BadRows.summary`; empty if nothing.
        log: The log as it was read, see `kept_log.write_log`; empty if it is
            not kept.
        appended_to: The folder to whose log the newest of the raw files were
            added; "" if all of them were read at once.
        created_with: Versions of the programs that wrote it.
        format_version: Version of the layout of the folder.
    """

    source: str
    settings: dict[str, Any]
    counts: list[dict[str, Any]]
    mean_length: float
    density: float
    splits: dict[str, dict[str, Any]]
    data_checksum: str
    files: dict[str, str] = dataclasses.field(default_factory=dict)
    short_sequences: int = 0
    duplicates: int = 0
    raw_files: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    bad_rows: dict[str, Any] = dataclasses.field(default_factory=dict)
    log: dict[str, Any] = dataclasses.field(default_factory=dict)
    appended_to: str = ""
    created_with: dict[str, str] = dataclasses.field(default_factory=versions)
    format_version: int = FORMAT_VERSION

    def save(self, folder: Path) -> None:
        """Writes `manifest.json` into a folder, with its own checksum."""
        text = json.dumps(sealed(dataclasses.asdict(self)), indent=2)
        (Path(folder) / FILE_NAME).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Manifest":
        """Reads `manifest.json` from a prepared dataset.

        Raises:
            InputError: If there is none, it cannot be read or was changed, or
                another version of the format wrote it.
        """
        path = Path(folder) / FILE_NAME
        try:
            values = dict(json.loads(path.read_text(encoding="utf-8")))
        except (FileNotFoundError, NotADirectoryError):
            raise InputError(
                "`--data_dir` must be a prepared dataset: a folder with "
                f"{FILE_NAME}. Received: {folder}. "
                "Prepare it with `python -m tfrec.prepare`."
            ) from None
        except (ValueError, TypeError, OSError) as error:
            raise InputError(
                f"{path} cannot be read: {error}. Prepare the dataset again."
            ) from error
        version = values.get("format_version")
        if version != FORMAT_VERSION:
            command = prepare_command(
                values.get("settings"), folder, values.get("appended_to")
            )
            raise InputError(
                f"{path} has format version {version}; this tfrec "
                f"({tfrec.__version__}) reads version {FORMAT_VERSION}. "
                "Prepare the dataset again: delete the folder and run "
                f"`{command}`. Or use the tfrec that wrote "
                f"it: {values.get('created_with', 'unknown')}."
            )
        check_values(path, values, REMEDY)
        values = opened(path, values, REMEDY)
        # What came later than the version of the format.
        values = {"bad_rows": {}, "log": {}, "appended_to": "", **values}
        names = {field.name for field in dataclasses.fields(cls)}
        wrong = names ^ {"files", *values}
        if wrong:
            raise InputError(
                f"{path} is damaged: missing or unknown "
                f"{', '.join(sorted(wrong))}. {REMEDY}"
            )
        return cls(**values)

    def check_files(self, folder: Path) -> None:
        """Compares the files beside the shards with their checksums.

        Titles change no number, and who uses a dataset may mend them: others
        than the preparation wrote are only warned of, unless they are no text.

        Args:
            folder: Of the dataset.

        Raises:
            InputError: If one is missing or was changed, or titles are no
                UTF-8.
        """
        for name in self.files:
            if name != TITLES:
                check_file(folder / name, self.files[name], REMEDY)
        files = self.files or {
            name: Vocabulary.load(folder, name).checksum
            for name in (VOCABULARY, USERS)
        }
        received = data_checksum(self.splits, files)
        if received != self.data_checksum:
            raise InputError(
                f"{VOCABULARY}, {USERS} or {FILE_NAME} in {folder} was "
                f"changed: expected data checksum {self.data_checksum}, "
                f"received {received}. {REMEDY}"
            )
        if TITLES in files and titles_checksum(folder) != files[TITLES]:
            warnings.warn(
                f"{folder / TITLES} is not what the preparation wrote: ids or "
                "titles are missing or were changed.",
                InputWarning,
                stacklevel=3,
            )


def prepare_command(
    settings: Any, folder: Path, appended_to: str | None = None
) -> str:
    """Returns the command that prepares a dataset, by what is known of it.

    Args:
        settings: `Manifest.settings`, of any version.
        folder: Where it is.
        appended_to: `Manifest.appended_to`.
    """
    known = {field.name: field for field in dataclasses.fields(DataConfig)}
    settings = settings if isinstance(settings, dict) else {}
    given = {
        name: value
        for name, value in settings.items()
        if name in known and value != known[name].default
    }
    given["data_dir"] = str(folder)
    flags = [f"--dataset={given.pop('dataset', DataConfig.dataset)}"]
    if appended_to:
        flags.append(flag_text("append", appended_to))
    flags += [flag_text(name, value) for name, value in given.items()]
    return " ".join(["python -m tfrec.prepare", *map(shlex.quote, flags)])


def file_checksums(folder: Path) -> dict[str, str]:
    """Returns the SHA-256 of each file beside the shards, by its name.

    That of `titles.tsv`, which a dataset may lack, is of the ids and titles
    alone: who uses a dataset may add columns.

    Args:
        folder: Of the dataset.
    """
    found = {n: file_checksum(folder / n) for n in (VOCABULARY, USERS)}
    if (folder / TITLES).exists():
        found[TITLES] = titles_checksum(folder)
    return found


def data_checksum(
    splits: dict[str, dict[str, Any]], files: dict[str, str]
) -> str:
    """Hashes the whole of a prepared dataset.

    Args:
        splits: Summaries of the splits, as in `Manifest.splits`.
        files: What `file_checksums` returned.

    Returns:
        SHA-256 over the checksums of the shards and those of `items.txt` and
        `users.txt`, each in the order of their names: 64 hexadecimal digits.
    """
    shards = {
        shard["file"]: shard["sha256"]
        for split in splits.values()
        for shard in split["shards"]
    }
    vocabularies = {name: files[name] for name in (VOCABULARY, USERS)}
    parts = [
        f"{name} {checksum}"
        for each in (shards, vocabularies)
        for name, checksum in sorted(each.items())
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
