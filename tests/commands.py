"""Runs commands of the package in processes of their own, started quickly.

To import TensorFlow takes longer than most commands do. A process that has it
imported, one for each process of tests, is forked for every command. What
happens while TensorFlow is imported is tested in test_quiet.py and
test_main.py, by processes that are started as users start them.
"""

import atexit
import contextlib
import multiprocessing
import os
import runpy
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

_PROCESSES = multiprocessing.get_context("forkserver")
# First what keeps TensorFlow quiet. None of the commands: these run as new.
_PROCESSES.set_forkserver_preload(
    [
        "tfrec",
        "tensorflow",
        "keras",
        "tfrec.models.acvae",
        "tfrec.training.fitting",
        "tfrec.serving.exporting",
        "tfrec.serving.server",
        "tfrec.data.preparation",
    ]
)


# A command that waits for ever must not stop all tests.
_MOST_SECONDS = 600


class Result(NamedTuple):
    """How a command ended, named as by `subprocess.run`."""

    returncode: int
    stdout: str
    stderr: str


class Command:
    """A command that was started.

    Args:
        module: What `python -m` would be given.
        *arguments: Its arguments.
        environment: What is added to the environment.
    """

    def __init__(self, module: str, *arguments: object, **environment: str):
        self._folder = tempfile.TemporaryDirectory()
        self._files = [
            Path(self._folder.name, name) for name in ("output", "errors")
        ]
        for path in self._files:
            path.touch()
        self.process = _PROCESSES.Process(
            target=_run,
            args=(
                module,
                [str(argument) for argument in arguments],
                {**os.environ, **environment},
                os.getcwd(),
                self._files,
            ),
            # Whoever forgets it does not wait for it at the end.
            daemon=True,
        )
        self.process.start()

    def running(self) -> bool:
        """Returns whether it has not ended yet."""
        return self.process.is_alive()

    def kill(self) -> None:
        """Ends it as `kill -9` does."""
        self.process.kill()

    def result(self) -> Result:
        """Waits for the end; ends what takes far too long."""
        self.process.join(_MOST_SECONDS)
        self.process.kill()
        self.process.join()
        texts = [path.read_text() for path in self._files]
        self._folder.cleanup()
        return Result(self.process.exitcode, *texts)


def run(module: str, *arguments: object, **environment: str) -> Result:
    """Runs a command; arguments as for `Command`."""
    return Command(module, *arguments, **environment).result()


def _run(module, arguments, environment, folder, files):
    for number, path in enumerate(files, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    # What this process was forked from may have looked it up.
    tempfile.tempdir = None
    sys.argv = [module, *arguments]
    with contextlib.ExitStack() as stack:
        # This process ends without these.
        stack.callback(atexit._run_exitfuncs)
        runpy.run_module(module, run_name="__main__", alter_sys=True)
