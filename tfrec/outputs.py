"""Whether a file can be written, told before the work is done for it."""

from pathlib import Path

from tfrec.errors import InputError


def check_output(path: str | Path, flag: str = "--output") -> None:
    """Raises unless a path can be that of a file.

    Args:
        path: The file.
        flag: What names it, for the message.

    Raises:
        InputError: If it is a folder or a device, or its folder is not there.
    """
    refuse_no_file(path, flag)
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(
            f"`{flag}` must be a file in a folder that is there. Received: "
            f"{path}."
        )


def refuse_no_file(path: str | Path, flag: str = "--output") -> None:
    """Raises `InputError` if there is something, and it is no file.

    What is written replaces what is there, which a device must not be.

    Args:
        path: The file.
        flag: What names it, for the message.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "a device"
        raise InputError(f"`{flag}` must be a file. Received: {path}, {kind}.")
