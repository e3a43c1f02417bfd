"""What raw files held, so that it is noticed when they hold something else.

A file is known by the SHA-256 of its bytes. It is read for that when it is
prepared, and again only where its size, its times or its ends differ.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfrec.errors import InputError
from tfrec.integrity import file_checksum

# Of each end of a file: what is appended or cut off shows there.
_END_BYTES = 1 << 16


def describe(
    paths: Sequence[Path],
    known: Sequence[dict[str, Any]] = (),
    titles: Sequence[Path] = (),
) -> list[dict[str, Any]]:
    """Describes files, for a manifest and to compare them with one.

    Args:
        paths: The files of one log.
        known: Earlier descriptions. A file that still has the size, the times
            and the ends of one of them is not read again.
        titles: More of them, which have titles and no interactions.

    Returns:
        For each file: `file`, its name, with the folders in which it differs
        from the others; `bytes`; `mtime_ns` and `ctime_ns`; `ends`, a checksum
        of its first and last bytes; `sha256`, of all; `titles`, whether it
        has titles.

    Raises:
        InputError: If a file cannot be read.
    """
    earlier = {entry["file"]: entry for entry in known}
    found = []
    paths = [*paths, *titles]
    for path, name in zip(paths, _names(paths), strict=True):
        try:
            entry = _describe(path, earlier.get(name, {}))
        except OSError as error:
            raise InputError(
                f"{path} (`--raw_dir`) cannot be read: {error.strerror}."
            ) from error
        found.append({"file": name, **entry, "titles": path in titles})
    return found


def _describe(path: Path, held: dict[str, Any]) -> dict[str, Any]:
    status = path.stat()
    entry = {
        "bytes": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        # Whoever sets the other one back changes this one.
        "ctime_ns": status.st_ctime_ns,
        "ends": _ends(path, status.st_size),
    }
    same = all(held.get(key) == value for key, value in entry.items())
    checksum = held.get("sha256") if same else None
    return entry | {"sha256": checksum or file_checksum(path)}


def changes(
    known: Sequence[dict[str, Any]], found: Sequence[dict[str, Any]]
) -> list[str]:
    """Says which files differ in what they hold.

    Args:
        known: The descriptions that a manifest keeps.
        found: Those of the files as they are now.

    Returns:
        A phrase for each file that differs, is new or is gone.
    """
    before, now = ({e["file"]: e for e in part} for part in (known, found))
    if known and "sha256" not in known[0]:
        # An earlier tfrec kept sizes only, and none of files of titles.
        now = {name: each for name, each in now.items() if not each["titles"]}
    said = []
    for name in sorted(before.keys() | now.keys()):
        if name not in now:
            said.append(f"{name} is gone")
        elif name not in before:
            said.append(f"{name} is new")
        elif before[name]["bytes"] != now[name]["bytes"]:
            size, size_now = before[name]["bytes"], now[name]["bytes"]
            said.append(f"{name} had {size:,} bytes and has {size_now:,}")
        elif before[name].get("sha256") not in (None, now[name]["sha256"]):
            said.append(f"{name} has other content of the same size")
    return said


def others(
    known: Sequence[dict[str, Any]], found: Sequence[dict[str, Any]]
) -> list[str]:
    """Says which files hold what none of the known ones holds.

    Args:
        known: The descriptions that a manifest keeps.
        found: Those of some files as they are now.
    """
    held = {entry["sha256"] for entry in known}
    return [f"{e['file']} is new" for e in found if e["sha256"] not in held]


def digest(found: Sequence[dict[str, Any]]) -> str:
    """Returns 8 hexadecimal digits that stand for what the files hold."""
    text = "\n".join(f"{e['sha256']} {e['file']}" for e in found)
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:8]


def _ends(path: Path, size: int) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        digest.update(file.read(_END_BYTES))
        file.seek(max(0, size - _END_BYTES))
        digest.update(file.read(_END_BYTES))
    return digest.hexdigest()


def _names(paths: Sequence[Path]) -> list[str]:
    """Returns names that tell the files apart, wherever they all lie."""
    if not paths:
        return []
    shared = os.path.commonpath([path.absolute().parent for path in paths])
    return [path.absolute().relative_to(shared).as_posix() for path in paths]
