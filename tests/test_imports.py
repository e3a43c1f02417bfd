"""Tests of what commands without a model import."""

import subprocess
import sys

PROGRAM = """
import sys
from tfrec.imports import lean_imports
with lean_imports():
    import tensorflow as tf
for name in ("keras", "h5py", "scipy"):
    assert name not in sys.modules, name
import scipy.sparse, keras
assert tf.constant([1, 2]).numpy().tolist() == [1, 2]
with lean_imports():
    import h5py
assert sys.modules["keras"] is keras
"""


def test_tensorflow_comes_alone_and_the_rest_can_follow():
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
