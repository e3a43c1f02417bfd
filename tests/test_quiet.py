"""What TensorFlow says while it is imported, in a process of its own."""

import os
import subprocess
import sys

import pytest

# What stands in for TensorFlow: it chatters, and says one thing that matters.
NOISY = """
import os
os.write(2, b"I0000 chatter\\nE0000 trouble\\n")
class config:
    list_physical_devices = staticmethod(lambda: os.write(2, b"W0000 GPUs\\n"))
"""


def run(code, **environment):
    inherited = dict(os.environ)
    inherited.pop("TF_CPP_MIN_LOG_LEVEL", None)
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**inherited, **environment},
    )


@pytest.fixture
def noisy(tmp_path):
    """Code that puts a noisy module in TensorFlow's place."""
    (tmp_path / "tensorflow.py").write_text(NOISY)
    return f"import os, sys; sys.path.insert(0, {str(tmp_path)!r})\n"


@pytest.mark.skipif(
    os.path.exists("/dev/nvidiactl"), reason="CUDA has its own to say"
)
def test_a_notebook_imports_a_model_in_silence():
    result = run("import tfrec\nfrom tfrec.models import ACVAE, VASER")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_only_what_matters_is_shown(noisy):
    result = run(noisy + "import tfrec, tensorflow\nos.write(2, b'I0000 own')")
    # What the program itself writes afterwards is not touched.
    assert result.stderr == "E0000 trouble\nI0000 own"


def test_a_tensorflow_that_fails_shows_its_trace(tmp_path, noisy):
    (tmp_path / "tensorflow.py").write_text("raise ImportError('broken')")
    result = run(noisy + "import tfrec, tensorflow")
    assert "ImportError: broken" in result.stderr


@pytest.mark.parametrize(
    ("level", "shown"), [("0", True), ("1", True), ("2", False)]
)
def test_who_asks_for_the_chatter_hears_it(noisy, level, shown):
    result = run(noisy + "import tfrec, tensorflow", TF_CPP_MIN_LOG_LEVEL=level)
    assert ("chatter" in result.stderr) == shown


def test_a_process_that_has_tensorflow_is_left_as_it_is(noisy):
    code = noisy + (
        "import tensorflow\nbefore = list(sys.meta_path)\nimport tfrec\n"
        "assert sys.meta_path == before\n"
        "print(os.environ.get('TF_CPP_MIN_LOG_LEVEL'))"
    )
    result = run(code)
    assert result.stdout == "None\n"
    assert "chatter" in result.stderr
