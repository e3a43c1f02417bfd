"""Times of a log, as text and as what `timestamp` counts."""

import datetime
import re
import warnings

from tfrec.errors import InputError, InputWarning

# What one day is, where a time counts microseconds, and where seconds.
DAY = 86_400_000_000
DAY_OF_SECONDS = 86_400
_EPOCH = datetime.datetime(1970, 1, 1)
_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2})?)?Z?"
)


def microseconds(text: str) -> int:
    """Returns the microseconds from 1970 to a date or time, all in UTC.

    Args:
        text: "2018-01-31" or "2018-01-31 12:00:00".

    Raises:
        ValueError: If it is none.
    """
    if not _ISO.fullmatch(text):
        raise ValueError(f"Not an ISO date or time: {text!r}.")
    moment = datetime.datetime.fromisoformat(text.removesuffix("Z"))
    return (moment - _EPOCH) // datetime.timedelta(microseconds=1)


def as_timestamp(text: str, day: int) -> int:
    """Returns the first `timestamp` that is not before a date or time.

    Args:
        text: As for `microseconds`.
        day: What `timestamp` counts in a day.
    """
    return -(-microseconds(text) * day // DAY)


def as_text(timestamp: int, day: int) -> str:
    """Returns the date or time of a `timestamp`, UTC.

    Args:
        timestamp: As in a log.
        day: What it counts in a day.

    Raises:
        InputError: If it is after the year 9999.
    """
    try:
        moment = _EPOCH + datetime.timedelta(
            microseconds=timestamp * DAY // day
        )
    except OverflowError:
        raise InputError(
            "The log has times after the year 9999. Is "
            "`--timestamps_per_second` right?"
        ) from None
    text = moment.isoformat(sep=" ")
    return text.removesuffix(" 00:00:00")


def warn_of_unit(newest: int, day: int) -> None:
    """Warns where a log would end in 1970 or after 2100, by its unit.

    Args:
        newest: The last time of the log.
        day: What times count in a day.
    """
    try:
        when = f"at {as_text(newest, day)}"
    except InputError:
        when = "after the year 9999"
    if not "at 1971" <= when[:7] <= "at 2100":
        warnings.warn(
            f"The log ends {when}. Is `--timestamps_per_second` right?",
            InputWarning,
            stacklevel=2,
        )
