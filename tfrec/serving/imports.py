"""Importing only what a server calls."""

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def without_keras() -> Iterator[None]:
    """Lets TensorFlow be imported without Keras.

    TensorFlow imports Keras if it is there, and Keras pandas, matplotlib and
    scikit-learn if they are. A SavedModel needs none of them, and they take
    some 100 MB, and seconds with all of them. What is imported afterwards can
    have Keras.
    """
    if {"keras", "tensorflow"} & set(sys.modules):
        yield
        return
    # What an import takes for a module that is not installed.
    sys.modules["keras"] = None
    try:
        yield
    finally:
        del sys.modules["keras"]
