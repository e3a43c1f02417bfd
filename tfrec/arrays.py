"""Arrays in a file of NumPy, `.npz`."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from tfrec.errors import InputError

# What NumPy raises for a file that is cut or changed.
_DAMAGES = (
    EOFError,
    KeyError,
    OSError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


def load_arrays(path: Path, *names: str) -> list[np.ndarray]:
    """Reads arrays of a `.npz` file by their names.

    Raises:
        InputError: If the file is not there, is damaged or has not all.
    """
    try:
        with np.load(path) as saved:
            return [saved[name] for name in names]
    except _DAMAGES as error:
        raise InputError(f"{path} cannot be read: {error}.") from error
