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
    check_replaceable(path, flag)
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(
            f"`{flag}` must be a file in a folder that is there. Received: "
            f"{path}."
        )


def check_replaceable(path: str | Path, flag: str = "--output") -> None:
    """Raises `InputError` if a path is that of a folder or a device.

    What is written replaces what is there.

    Args:
        path: The file.
        flag: What names it, for the message.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "a device"
        raise InputError(f"`{flag}` must be a file. Received: {path}, {kind}.")
