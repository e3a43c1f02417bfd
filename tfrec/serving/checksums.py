"""`SHA256SUMS`: is a version what the export verified?

TensorFlow loads half of a vocabulary, as a copy that is under way has it, and
the model then answers "". Lines are those of `sha256sum`, which reads them too:
`sha256sum --check SHA256SUMS`. The SavedModel says how many there are, so that
the list itself can be missing or cut short. TensorFlow Serving reads neither.
"""

import re
from pathlib import Path, PurePosixPath

from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from tfrec.errors import InputError
from tfrec.integrity import check_file, file_checksum

FILE_NAME = "SHA256SUMS"
_MODEL = "saved_model.pb"
_MARK = re.compile(rf"{FILE_NAME} has (\d+) lines")
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
_REMEDY = "Copy the version again, or export the run again."


def write_checksums(folder: Path) -> None:
    """Writes the checksum of each file of a SavedModel, which is complete."""
    # Written again where a file was added.
    (folder / FILE_NAME).unlink(missing_ok=True)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    model = folder / _MODEL
    saved = SavedModel.FromString(model.read_bytes())
    for graph in saved.meta_graphs:
        # What a user says of a version; nothing else reads it.
        graph.meta_info_def.meta_graph_version = (
            f"{FILE_NAME} has {len(paths)} lines"
        )
    model.write_bytes(saved.SerializeToString(deterministic=True))
    lines = [
        f"{file_checksum(path)}  {path.relative_to(folder).as_posix()}\n"
        for path in paths
    ]
    (folder / FILE_NAME).write_text("".join(lines), encoding="utf-8")


def check_checksums(folder: Path) -> None:
    """Compares a version with its list; one of another origin has none.

    Raises:
        InputError: Naming the file that is missing or was changed.
    """
    path = folder / FILE_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} cannot be read: {error}. {_REMEDY}"
        ) from error
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        parts = PurePosixPath(match[2]).parts if match else ("..",)
        if {"/", ".."}.intersection(parts):
            raise InputError(
                f"{path}, line {number} must be a checksum and a file below. "
                f"Received: {line[:80]!r}. {_REMEDY}"
            )
        check_file(folder / match[2], match[1], _REMEDY)
    expected = _expected_lines(folder / _MODEL)
    if expected not in (None, len(lines)):
        raise InputError(
            f"{path} must have {expected} lines, one for each file. Received: "
            f"{len(lines)}. {_REMEDY}"
        )


def _expected_lines(model: Path) -> int | None:
    """Returns what the SavedModel says; None if it says nothing."""
    try:
        saved = SavedModel.FromString(model.read_bytes())
    # Whatever is wrong with it, TensorFlow will say.
    except Exception:
        return None
    for graph in saved.meta_graphs:
        match = _MARK.fullmatch(graph.meta_info_def.meta_graph_version)
        if match:
            return int(match[1])
    return None
