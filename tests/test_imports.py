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


PREPARES = """
import sys
from tfrec import prepare
sys.argv = ["prepare", "--dataset=sequences", *sys.argv[1:]]
try:
    prepare.run()
except SystemExit as ended:
    assert not ended.code, ended.code
assert "tensorflow" in sys.modules
assert "keras" not in sys.modules
"""


def test_a_preparation_does_without_keras(tmp_path):
    log = tmp_path / "log.txt"
    log.write_text("".join(f"u{i} a b c d e f g\n" for i in range(20)))
    flags = f"--raw_dir={log}", f"--data_dir={tmp_path / 'data'}"
    subprocess.run([sys.executable, "-c", PREPARES, *flags], check=True)


MODELS = """
import sys
from tfrec.models import ACVAE, ACVAEConfig, GRU4Rec, GRU4RecConfig
for model, config in ((ACVAE, ACVAEConfig), (GRU4Rec, GRU4RecConfig)):
    model(10, config())
assert "tensorflow_probability" not in sys.modules
"""


def test_a_model_without_flows_does_without_tensorflow_probability():
    subprocess.run([sys.executable, "-c", MODELS], check=True)
