"""Is a manifest, which somebody may have edited, of the right form?"""

from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

from tfrec.data.config import DataConfig
from tfrec.data.protocols import get_protocol
from tfrec.errors import InputError

Test = tuple[Callable[[Any], bool], str]


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_file_name(value: Any) -> bool:
    # One that leads to another folder would be read from there.
    return (
        isinstance(value, str)
        and value not in ("", ".", "..")
        and PurePath(value).name == value
    )


_OBJECT = (lambda value: isinstance(value, dict)), "an object"
_LIST = (lambda value: isinstance(value, list)), "a list"
_TEXT = (lambda value: isinstance(value, str)), "text"
_COUNT = _is_count, "an integer from 0"
_NAME = _is_file_name, "the name of a file in the folder"
_NUMBER = (lambda value: type(value) in (int, float)), "a number"

_FIELDS: dict[str, Test] = {
    "source": _TEXT,
    "settings": _OBJECT,
    "counts": _LIST,
    "mean_length": _NUMBER,
    "density": _NUMBER,
    "splits": _OBJECT,
    "data_checksum": _TEXT,
    "short_sequences": _COUNT,
    "duplicates": _COUNT,
    "raw_files": _LIST,
    "created_with": _OBJECT,
}
# Which earlier versions lack.
_FILES: dict[str, Test] = {"items.txt": _TEXT, "users.txt": _TEXT}
_SPLIT: dict[str, Test] = {
    "records": _COUNT,
    "tokens": _COUNT,
    "max_length": _COUNT,
    "shards": _LIST,
}
_EVALUATION_SPLIT: dict[str, Test] = {
    "targets": _COUNT,
    "targets_in_history": _COUNT,
    "unseen_targets": _COUNT,
}
_FILE: dict[str, Test] = {"file": _NAME, "bytes": _COUNT, "sha256": _TEXT}
_SHARD: dict[str, Test] = {**_FILE, "records": _COUNT}
_LOG: dict[str, Test] = {
    "files": _LIST,
    "clock": _TEXT,
    "day": ((lambda value: value is None or _is_count(value)), _COUNT[1]),
}
_STEP: dict[str, Test] = {
    "step": _TEXT,
    "interactions": _COUNT,
    "sequences": _COUNT,
    "items": _COUNT,
}


def check_values(path: Path, values: dict[str, Any], remedy: str) -> None:
    """Raises if a part of a manifest is not what its readers expect.

    Args:
        path: The manifest, for the message.
        values: What it says.
        remedy: What to do, to end the message.

    Raises:
        InputError: Naming the first part that is wrong.
    """
    try:
        _check(values, "", _FIELDS)
        if values.get("files", {}) != {}:
            _check(values["files"], "files", _FILES)
        if values.get("log", {}) != {}:
            _check(values["log"], "log", _LOG)
            for place, file in enumerate(values["log"]["files"]):
                _check(file, f"log.files[{place}]", _FILE)
        try:
            protocol = get_protocol(DataConfig.from_dict(values["settings"]))
        except (InputError, TypeError) as error:
            raise _Wrong(f"`settings` cannot be: {error}") from error
        for place, step in enumerate(values["counts"]):
            _check(step, f"counts[{place}]", _STEP)
        _check(values["splits"], "splits", {"train": _OBJECT})
        for name, split in values["splits"].items():
            where = f"splits.{name}"
            if name not in protocol.splits:
                raise _Wrong(
                    f"`splits` must have {', '.join(protocol.splits)}. "
                    f"Received: {name}."
                )
            _check(split, where, _SPLIT)
            if name in ("validation", "test"):
                _check(split, where, _EVALUATION_SPLIT)
                if split.get("gaps") is not None:
                    _check(split["gaps"], f"{where}.gaps", _FILE)
            _check_shards(split, where)
    except _Wrong as error:
        raise InputError(f"{path} is damaged: {error} {remedy}") from error


class _Wrong(Exception):
    """What is wrong, as a sentence."""


def _check_shards(split: dict[str, Any], where: str) -> None:
    for place, shard in enumerate(split["shards"]):
        _check(shard, f"{where}.shards[{place}]", _SHARD)
    held = sum(shard["records"] for shard in split["shards"])
    if held != split["records"]:
        raise _Wrong(
            f"the shards of `{where}` must hold its {split['records']} "
            f"records. Received: {held}."
        )


def _check(value: Any, where: str, tests: dict[str, Test]) -> None:
    """Checks an object, of which `tests` tells what each key holds."""
    if not isinstance(value, dict):
        raise _Wrong(f"`{where}` must be an object. Received: {value!r:.60}.")
    for key, (holds, words) in tests.items():
        name = f"{where}.{key}" if where else key
        if key not in value:
            raise _Wrong(f"`{name}` is missing.")
        if not holds(value[key]):
            raise _Wrong(
                f"`{name}` must be {words}. Received: {value[key]!r:.60}."
            )
