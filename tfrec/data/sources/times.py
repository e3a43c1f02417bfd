"""Times of raw fields as integers.

What a text must be is said here, because engines cast more, and not the same:
"1e3" and "1_0" to integers, 24:00 to a time. `\\z` for `$`, which lets a line
end follow on some engines.
"""

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

_INTEGER = r"^ *([+-]?[0-9]+)([.]0*)? *\z"
_NUMBER = r"^ *([+-]?[0-9]+)([.][0-9]*)? *\z"
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,9})?)?"
_OFFSET = r" ?(Z|UTC|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)"
_ISO = rf"^{_DAY}(Z|[ T]{_CLOCK}({_OFFSET})?)?\z"
# By kind of time, what stands in error messages.
EXPECTED = {
    "integer": "an integer",
    "number": "a number",
    "iso": (
        "a date or time, UTC if it has no offset: 2018-01-31, "
        "2018-01-31 12:00:00 or 2018-01-31T12:00:00.5+02:00"
    ),
}
MICROSECONDS = 1_000_000
# Seconds beyond which microseconds leave 64 bits.
MOST_SECONDS = 2**63 // MICROSECONDS - 1


def whole(column: ir.Column, kind: str) -> ir.IntegerValue:
    """Returns times as integers, null where they are malformed.

    Args:
        column: Text, numbers, dates or times.
        kind: What text holds: "integer"; "number", of which this is the part
            before the point, see `millionths`; or "iso". ISO times, and those
            of a type of time, become microseconds since 1970, UTC.
    """
    if column.type().is_numeric():
        below, _ = _parts(column)
        return below
    if not column.type().is_string():
        return _typed(column)
    if kind == "iso":
        return _iso(column)
    pattern = _NUMBER if kind == "number" else _INTEGER
    number = column.re_extract(pattern, 1).try_cast("int64")
    # 0 has no sign, so that -0.5 would be read as .5.
    negative = column.re_search(r"^ *-0*[.][0-9]*[1-9][0-9]* *\z")
    return negative.ifelse(-1, number)


def millionths(column: ir.Column) -> ir.IntegerValue:
    """Returns what follows the point of a number, in millionths.

    Further digits are cut off. 0 where there is none, null where a number of
    a type is none.
    """
    if column.type().is_numeric():
        return _parts(column)[1]
    if not column.type().is_string():
        return ibis.literal(0, dt.int64)
    digits = column.re_extract(r"[.]([0-9]{1,6})", 1)
    return digits.rpad(6, "0").try_cast("int64")


def _parts(column: ir.NumericColumn) -> tuple[ir.Value, ir.Value]:
    """Splits numbers at the point."""
    near = column.try_cast("int64")
    if column.type().is_integer():
        return near, ibis.literal(0, dt.int64)
    # Engines round to different sides.
    rest = column.cast("float64") - near.cast("float64")
    total = (rest * MICROSECONDS).round().try_cast("int64")
    below = ibis.cases(
        (total < 0, near - 1), (total >= MICROSECONDS, near + 1), else_=near
    )
    part = ibis.cases(
        (total < 0, total + MICROSECONDS),
        (total >= MICROSECONDS, total - MICROSECONDS),
        else_=total,
    )
    return below, part


def _typed(column: ir.Column) -> ir.IntegerValue:
    """Returns the microseconds of a date or time."""
    # Engines count all times in UTC.
    moment = column if column.type().is_timestamp() else _cast(column)
    # `epoch_seconds` of a time rounds nanoseconds up to the next second; of a
    # day it is whole. Seconds have a fraction on some engines and none on
    # others; the text of a time has one on all.
    days = moment.date().epoch_seconds().floor().cast("int64")
    second = moment.second().cast("float64").floor().cast("int64")
    seconds = days + moment.hour() * 3600 + moment.minute() * 60 + second
    fraction = moment.cast("string").re_extract(r"[.]([0-9]{1,6})", 1)
    return seconds * MICROSECONDS + fraction.rpad(6, "0").cast("int64")


def _iso(column: ir.StringColumn) -> ir.IntegerValue:
    """Returns the microseconds of an ISO date or time."""
    text = column.re_search(_ISO).ifelse(column, ibis.null(dt.string))
    days = _cast(text.substr(0, 10)).epoch_seconds().floor().cast("int64")
    hours, minutes = (_number(text.substr(start, 2)) for start in (11, 14))
    # After the minutes: nothing before them looks like an offset then.
    rest = text.substr(16)
    seconds = rest.startswith(":").ifelse(_number(rest.substr(1, 2)), 0)
    fraction = rest.re_extract(r"[.]([0-9]{1,6})", 1).rpad(6, "0")
    clock = hours * 3600 + minutes * 60 + seconds - _offset(rest)
    return (days + clock) * MICROSECONDS + fraction.try_cast("int64")


def _offset(rest: ir.StringValue) -> ir.IntegerValue:
    """Returns the seconds that an offset is before UTC; 0 if there is none."""
    offset = rest.re_extract(r"([+-][0-9]{2}:?[0-9]{0,2})\z", 1)
    digits = offset.replace(":", "")
    hours = _number(digits.substr(1, 2))
    minutes = _number(digits.substr(3, 2))
    seconds = hours * 3600 + minutes * 60
    none = ibis.literal(0, dt.int64)
    return ibis.cases(
        # Most times: quick to see.
        (~(rest.contains("+") | rest.contains("-")), none),
        (offset.startswith("-"), -seconds),
        else_=seconds,
    )


def _number(text: ir.StringValue) -> ir.IntegerValue:
    return text.try_cast("int64").fill_null(0)


def _cast(column: ir.Column) -> ir.TimestampValue:
    return column.try_cast("timestamp")
