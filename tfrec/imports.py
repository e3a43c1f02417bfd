"""Importing only what a command calls that makes no model."""

import contextlib
import sys
from collections.abc import Iterator

# What TensorFlow imports if it is there, and neither SavedModels nor TFRecords
# need: Keras, which imports pandas, matplotlib and scikit-learn if they are
# there, and what reads HDF5 and sparse arrays for TensorFlow's own Keras.
_UNNEEDED = ("keras", "h5py", "scipy")


@contextlib.contextmanager
def lean_imports() -> Iterator[None]:
    """Lets TensorFlow be imported without what only models need.

    That takes some 120 MB, and seconds. What is imported afterwards can have
    it.
    """
    if {"keras", "tensorflow"} & set(sys.modules):
        yield
        return
    hidden = [name for name in _UNNEEDED if name not in sys.modules]
    # What an import takes for a module that is not installed.
    sys.modules.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
