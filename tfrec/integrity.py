"""Checksums: is a file still what was written?

They find what happens by itself: flipped bits, copies that were cut short,
edits by hand. They are no protection against whoever can write the files.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from tfrec.errors import InputError

# The key of a JSON object's own checksum.
_SEAL = "checksum"


def file_checksum(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def check_file(path: Path, expected: str, remedy: str) -> None:
    """Compares a file with its checksum.

    Args:
        path: The file.
        expected: What `file_checksum` returned when it was written.
        remedy: What to do, to end the message.

    Raises:
        InputError: If it is missing, cannot be read or is another.
    """
    try:
        received = file_checksum(path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}. {remedy}"
        ) from error
    if received != expected:
        raise InputError(
            f"{path} was changed: expected SHA-256 {expected}, received "
            f"{received}. {remedy}"
        )


def sealed(
    values: dict[str, Any], leave_out: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Returns a JSON object with a checksum of its values.

    Args:
        values: The object.
        leave_out: Keys whose values may be changed afterwards.
    """
    return {**values, _SEAL: _digest(values, leave_out)}


def opened(
    path: Path,
    values: dict[str, Any],
    remedy: str,
    leave_out: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Returns a JSON object without its checksum, which must be right.

    Args:
        path: The file that it was read from.
        values: What `sealed` returned. An object without a checksum, as
            earlier versions wrote it, is taken as it is.
        remedy: What to do, to end the message.
        leave_out: As it was given to `sealed`.

    Raises:
        InputError: If a value was changed.
    """
    values = dict(values)
    expected = values.pop(_SEAL, None)
    received = _digest(values, leave_out)
    if expected not in (None, received):
        raise InputError(
            f"{path} was changed after it was written: expected checksum "
            f"{expected}, received {received}. {remedy}"
        )
    return values


def _digest(values: dict[str, Any], leave_out: tuple[str, ...]) -> str:
    kept = {key: v for key, v in values.items() if key not in leave_out}
    # JSON of the JSON: a tuple is a list, and keys are texts, as when read.
    text = json.dumps(json.loads(json.dumps(kept)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
