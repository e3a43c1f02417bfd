"""What every command shares: flags, help, errors and quiet libraries.

Import this module before any that imports TensorFlow.
"""

import contextlib
import importlib.abc
import importlib.util
import os
import re
import signal
import sys
import tempfile
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence

from absl import app, flags, logging

from tfrec.errors import InputError, InputWarning, nearest_names

_HELP = {"--help", "-help", "-h", "--helpshort", "--helpfull"}
# Lines that say nothing a user could act on: all but errors.
_CHATTER = re.compile(rb"^([IW][0-9]{4} |WARNING: All log messages before)")
# What Python makes of a warning.
_format_warning = warnings.formatwarning
# There if an NVIDIA driver is loaded.
_GPU = "/dev/nvidiactl"


def run(main: Callable[[], None]) -> None:
    """Runs a command and exits: parses flags, reports errors without traces.

    Exit status: 0, 1 after an error that the user can mend, 130 after an
    interruption.

    Args:
        main: The command, called once the flags are parsed.
    """
    app.run(lambda argv: _run(main), flags_parser=_parse)


def _run(main: Callable[[], None]) -> int:
    # TensorFlow's Python side writes through absl.
    logging.set_verbosity(logging.WARNING)
    warnings.formatwarning = _warning_text
    try:
        main()
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader, `head` say, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except InputError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    return 0


def _warning_text(message, category, *place, line=None) -> str:
    """Formats a warning: one for the user without its place in the code."""
    if issubclass(category, InputWarning):
        return f"warning: {message}\n"
    return _format_warning(message, category, *place, line=line)


def _fail(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 1


def _parse(argv: Sequence[str]) -> list[str]:
    """Parses the flags, or exits with help or an error."""
    if _HELP.intersection(argv[1:]):
        # `--help | head` ends when the reader does, without a trace.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        print(_help_text(sys.modules["__main__"].__doc__ or ""))
        sys.exit(0)
    try:
        rest = flags.FLAGS(argv)
    except flags.UnrecognizedFlagError as error:
        known = [flag.name for group in _groups().values() for flag in group]
        hint = nearest_names(error.flagname, [*known, "flagfile", "help"])
        sys.exit(_fail(f"Unknown flag `--{error.flagname}`.{hint}"))
    except flags.Error as error:
        sys.exit(_fail(str(error).removeprefix("ERROR:: ")))
    if len(rest) > 1:
        sys.exit(
            _fail(
                f"Unexpected argument {rest[1]!r}: every setting is a flag, "
                "--name=value. See --help."
            )
        )
    return rest


def _groups() -> dict[str, list[flags.Flag]]:
    """Returns the flags by the configuration class that has them."""
    return {
        module: defined
        for module, defined in flags.FLAGS.flags_by_module_dict().items()
        if module.endswith("Config")
    }


def _help_text(description: str) -> str:
    parts = [description.strip()]
    for group, defined in _groups().items():
        parts.append(f"{group.removesuffix('Config')} settings:")
        parts += [
            _flag_text(f"--{'[no]' * flag.boolean}{flag.name}", flag.help)
            for flag in defined
        ]
    parts += [
        "Other:",
        _flag_text("--flagfile", "A file of flags, one in each line."),
        _flag_text("--help", "Show this text."),
    ]
    return "\n\n".join(parts)


def _flag_text(name: str, text: str) -> str:
    lines = textwrap.wrap(text, width=72, break_on_hyphens=False)
    return "\n".join([f"  {name}", *(f"      {line}" for line in lines)])


class _QuietTensorFlow(importlib.abc.MetaPathFinder):
    """Keeps what TensorFlow logs while it is imported off the terminal.

    It writes to the file descriptor before any logging level is in force, so
    no environment variable stops it.
    """

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


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
if "tensorflow" not in sys.modules:
    sys.meta_path.insert(0, _QuietTensorFlow())
