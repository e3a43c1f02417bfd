"""What every command shares: flags, help and errors."""

import contextlib
import functools
import os
import signal
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence

from absl import app, flags, logging

from tfrec import settings
from tfrec.errors import InputError, InputWarning, nearest_names
from tfrec.flagfiles import Argument, expand
from tfrec.help_text import help_text
from tfrec.models.registry import Entry, get_entry
from tfrec.settings import Settings
from tfrec.terminal import painted

HELP = frozenset(("--help", "-help", "-h", "--helpshort", "--helpfull"))
# What Python makes of a warning.
_format_warning = warnings.formatwarning


def run(
    main: Callable[[], None],
    *configs: type[Settings],
    models: Mapping[str, Entry] | None = None,
    positional: str | None = None,
) -> None:
    """Runs a command and exits: parses flags, reports errors without traces.

    Exit status: 0, 1 after an error that the user can mend, 130 after an
    interruption.

    Args:
        main: The command, called once the flags are parsed. The docstring of
            its module begins the help.
        *configs: Its settings, which become flags.
        models: Models, of which `--model` chooses one; their settings become
            flags as well.
        positional: The setting, a list, whose elements may stand without its
            name.
    """
    models = models or {}
    known = settings.define_flags(
        *configs, *(entry.config_class for entry in models.values())
    )
    parse = functools.partial(_parse, main, configs, models, known, positional)
    app.run(lambda argv: _run(main), flags_parser=parse)


def fail(message: str) -> int:
    """Prints an error; returns the status to exit with."""
    print(painted("error:", "red", sys.stderr), message, file=sys.stderr)
    return 1


def show(text: str) -> None:
    """Prints what may be long: `--help | head` ends without a trace."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    print(text)


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
        return fail(str(error))
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    return 0


def _warning_text(message, category, filename, lineno, line=None) -> str:
    """Formats a warning: one for the user without its place in the code."""
    if issubclass(category, InputWarning):
        return f"{painted('warning:', 'yellow', sys.stderr)} {message}\n"
    return _format_warning(message, category, filename, lineno, line)


def _parse(
    main: Callable[[], None],
    configs: Sequence[type[Settings]],
    models: Mapping[str, Entry],
    known: Sequence[str],
    positional: str | None,
    argv: Sequence[str],
) -> list[str]:
    """Parses the flags, or exits with help or an error."""
    try:
        if HELP.intersection(argv[1:]):
            asked = [text for text in argv[1:] if text not in HELP]
            model = _named_model(expand(asked)) if models else None
            show(help_text(_description(main), configs, models, model))
            sys.exit(0)
        return _parse_flags(argv[0], expand(argv[1:]), known, positional)
    except InputError as error:
        sys.exit(fail(str(error)))


def _description(main: Callable[[], None]) -> str:
    text = sys.modules[main.__module__].__doc__ or ""
    # Not run as a module, so by the dispatcher.
    if main.__module__ != "__main__":
        text = text.replace("python -m tfrec.", "tfrec ")
    return text


def _named_model(arguments: Sequence[Argument]) -> str | None:
    """Returns the model that is named, if one is.

    Raises:
        InputError: If there is no such model.
    """
    # Help is given whatever else is wrong.
    with contextlib.suppress(flags.Error, ValueError):
        texts = [argument.text for argument in arguments]
        flags.FLAGS(["", *texts], known_only=True)
    named = flags.FLAGS["model"].value
    return get_entry(named).name if named else None


def _parse_flags(
    program: str,
    arguments: Sequence[Argument],
    known: Sequence[str],
    positional: str | None,
) -> list[str]:
    """Gives the arguments to absl.

    Raises:
        InputError: If one is no flag, or has no value: where it stands, and
            the names that are near.
    """
    try:
        rest = flags.FLAGS([program, *(each.text for each in arguments)])
    except flags.UnrecognizedFlagError as error:
        places = [a.place for a in arguments if a.name == error.flagname]
        where = f" ({places[-1]})" if any(places) else ""
        hint = nearest_names(error.flagname, [*known, "flagfile", "help"])
        raise InputError(
            f"Unknown flag `--{error.flagname}`{where}.{hint}"
        ) from error
    except flags.IllegalFlagValueError as error:
        # Of a boolean: absl takes everything else as text.
        text = str(error).removeprefix("flag ").partition(": ")[0]
        name, _, value = text.partition("=")
        raise InputError(
            f"`{name}` must be true or false. Received: {value!r}."
        ) from error
    except (flags.Error, ValueError) as error:
        raise InputError(f"{error}.") from error
    if positional:
        flag = flags.FLAGS[positional]
        flag.value = [*(flag.value or ()), *rest[1:]] or None
    elif len(rest) > 1:
        raise InputError(
            f"Unexpected argument {rest[1]!r}: every setting is a flag, "
            "--name=value. See --help."
        )
    return rest
