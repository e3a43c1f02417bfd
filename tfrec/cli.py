"""What every command shares: flags, help and errors."""

import os
import signal
import sys
import textwrap
from collections.abc import Callable, Sequence

from absl import app, flags, logging

from tfrec.errors import InputError, nearest_names

_HELP = {"--help", "-help", "-h", "--helpshort", "--helpfull"}


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
