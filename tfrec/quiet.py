"""Keeps TensorFlow's chatter off the terminal; `import tfrec` installs it.

What TensorFlow says while it is imported, which processor it was built for and
that it has found no GPU, is nothing that a user could act on, and it is written
before any logging level is in force.
"""

import contextlib
import importlib.abc
import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Iterator

# TensorFlow's own variable: "2" hides information and warnings of C++.
_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
# What that level would hide, were it in force already.
_CHATTER = re.compile(rb"^([IW][0-9]{4} |WARNING: All log messages before)")
# There if an NVIDIA driver is loaded.
_GPU = "/dev/nvidiactl"


def install() -> None:
    """Makes the coming import of TensorFlow silent, but for errors.

    Does nothing where TensorFlow is imported already, and where the
    environment asks for its messages: TF_CPP_MIN_LOG_LEVEL is 0 or 1.
    """
    if "tensorflow" in sys.modules or os.environ.get(_LEVEL) in ("0", "1"):
        return
    os.environ.setdefault(_LEVEL, "2")
    sys.meta_path.insert(0, _QuietTensorFlow())


class _QuietTensorFlow(importlib.abc.MetaPathFinder):
    """Loads TensorFlow without what it writes to the file descriptor."""

    def find_spec(self, name, path, target=None):
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None:
            return None
        load = spec.loader.exec_module

        def load_quietly(module):
            with _errors_only():
                load(module)
                # The search for GPUs; TensorFlow makes it once.
                module.config.list_physical_devices()

        spec.loader.exec_module = load_quietly
        return spec


@contextlib.contextmanager
def _errors_only() -> Iterator[None]:
    """Drops lines of information that are written to file descriptor 2."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            written.seek(0)
            for line in written:
                # Without a GPU, that there is no CUDA is no error.
                no_gpu = b"cuInit" in line and not os.path.exists(_GPU)
                if not no_gpu and not _CHATTER.match(line):
                    os.write(2, line)
