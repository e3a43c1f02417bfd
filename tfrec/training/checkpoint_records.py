"""Which checkpoint a folder has: TensorFlow's record of it, read strictly.

TensorFlow takes a record that it cannot read for none, so that a run would
start anew, or use other weights than the chosen ones.
"""

import re
import shutil
from pathlib import Path

import tensorflow as tf
from google.protobuf import text_format

from tfrec.errors import InputError

NAME = "checkpoint"
_NUMBERED = re.compile(rf"{NAME}-(\d+)")


def recorded(folder: Path) -> str | None:
    """Returns the checkpoint that the record of a folder names.

    Args:
        folder: `last` or `best`.

    Returns:
        Its path, as `tf.train.load_checkpoint` takes it; None if there is no
        record.

    Raises:
        InputError: If the record is damaged, or its checkpoint is not there.
    """
    path = folder / NAME
    content, before = _read(path), None
    # A training that runs may have replaced both in the meantime.
    while content is not None and content != before:
        name = _named(content)
        if name and Path(folder, f"{name}.index").exists():
            return str(folder / name)
        content, before = _read(path), content
    if content is None:
        return None
    raise InputError(
        f"{path} is damaged: it must name a checkpoint beside it. Received: "
        f"{content[:80]!r}.{_remedy(folder)}"
    )


def refuse_lost_records(folders: list[Path]) -> None:
    """Raises `InputError` if a folder has checkpoints and has lost its record.

    One checkpoint without a record is there after a kill during the first
    save, and its number is then the next one.

    Args:
        folders: All that count their checkpoints together.
    """
    found = {folder: recorded(folder) for folder in folders}
    newest = max((_number(path) for path in found.values() if path), default=0)
    for folder, path in found.items():
        numbers = {_number(each) for each in folder.glob(f"{NAME}-*.index")}
        if not path and numbers - {newest + 1}:
            raise InputError(f"{folder / NAME} is gone.{_remedy(folder)}")


def sweep(folder: Path) -> None:
    """Deletes what a kill left: all but the checkpoint of the record."""
    path = recorded(folder)
    kept = Path(path).name if path else ""
    for each in folder.glob(f"{NAME}?*"):
        if each.is_dir():
            shutil.rmtree(each)
        elif each.stem != kept:
            each.unlink()


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def _named(content: bytes) -> str:
    """Returns the name in a record, "" if there is none to be trusted."""
    state = tf.compat.v1.train.generate_checkpoint_state_proto(".", ".")
    state.Clear()
    try:
        text_format.Parse(content.decode(), state)
    except (UnicodeDecodeError, text_format.ParseError):
        return ""
    name = state.model_checkpoint_path
    # Written twice: a damaged digit must not lead to another checkpoint.
    twice = state.all_model_checkpoint_paths[-1:] == [name]
    return name if twice and _NUMBERED.fullmatch(name) else ""


def _number(path: str | Path) -> int:
    match = _NUMBERED.match(Path(path).name)
    return int(match[1]) if match else 0


def _remedy(folder: Path) -> str:
    whole = [path.stem for path in folder.glob(f"{NAME}-*.index")]
    if len(whole) != 1:
        return " Delete the run directory to start again."
    line = (
        f'model_checkpoint_path: "{whole[0]}" '
        f'all_model_checkpoint_paths: "{whole[0]}"'
    )
    return (
        f" There is one checkpoint, {whole[0]}. If it is the right one, this "
        f"names it again: `echo '{line}' > {folder / NAME}`."
    )
