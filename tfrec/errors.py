"""The errors that a user can mend, and what a user should look at."""

import difflib
from collections.abc import Iterable

# Characters of a long message that are shown, at its start and at its end.
_END = 1000
_LEFT_OUT = " ... "


class InputError(ValueError):
    """Something the user gave is wrong: a file, a line, a flag or a name.

    The message names it, says what was expected and what arrived. Commands
    print it without a traceback; a notebook sees an ordinary `ValueError`.

    Args:
        message: The message. Whatever it quotes, it becomes one line, and of
            a long one the middle is left out.
    """

    def __init__(self, message: str = ""):
        line = " ".join(filter(None, message.splitlines()))
        if len(line) > 2 * _END + len(_LEFT_OUT):
            line = line[:_END] + _LEFT_OUT + line[-_END:]
        super().__init__(line)


class OutsideError(InputError):
    """A file, a folder or another process is in the way, and no setting."""


class OutOfMemoryError(InputError):
    """What was asked for does not fit into the memory of this machine."""


class CannotWriteError(OutsideError):
    """A folder, or the disk that it is on, does not take what is written."""


class InputWarning(UserWarning):
    """Something the user gave is right, but may not be what was meant.

    Commands print it in one line; in a notebook it is an ordinary warning.
    """


def nearest_names(name: str, known: Iterable[str]) -> str:
    """Returns " Did you mean 'x'?" for the known names nearest to `name`.

    Returns the empty string when none is near.
    """
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    if not near:
        return ""
    return " Did you mean " + " or ".join(f"'{n}'" for n in near) + "?"
