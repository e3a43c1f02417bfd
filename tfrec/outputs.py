"""Whether a file can be written, told before the work is done for it."""

from pathlib import Path

from tfrec.errors import InputError


def check_output(path: str | Path, flag: str = "--output") -> None:
    """Raises unless a path can be that of a file.

    Args:
        path: The file.
        flag: What names it, for the message.

    Raises:
        InputError: If it is a folder, or the folder of it is not there.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(
            f"`{flag}` must be a file. Received: {path}, a folder."
        )
    if not path.parent.is_dir():
        raise InputError(
            f"`{flag}` must be a file in a folder that is there. Received: "
            f"{path}."
        )
