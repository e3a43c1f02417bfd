"""From raw fields to checked interactions."""

import contextlib
from collections.abc import Iterator
from typing import Any, Protocol

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from tfrec.data.engine import Engine
from tfrec.errors import InputError

# What a text must be to be cast, because engines cast more, and not the same:
# "1e3" and "1_0" to integers, "4f" to a float, 24:00 to a time. The first
# group is cast. `\z` for `$`, which lets a line end follow on some engines.
_INTEGER = r"^ *([+-]?[0-9]+)([.]0*)? *\z"
_NUMBER = r"^ *([+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?) *\z"
# Other offsets than UTC are refused: a cast would silently ignore them.
_ISO_TIME = (
    r"^([0-9]{4}-[0-9]{2}-[0-9]{2}([ T]([01][0-9]|2[0-3]):[0-9]{2}"
    r"(:[0-9]{2}([.][0-9]{1,6})?)?)?)(Z|[+]00:?00)?\z"
)
# Ids are lines of items.txt and users.txt, and fields of titles.tsv.
_NOT_IN_IDS = r"[\t\n\r]"
_TIMES = {
    "integer": "an integer",
    "iso": "a UTC date or time: 2018-01-31 or 2018-01-31 12:00:00",
}


class RawFiles(Protocol):
    """Raw files that can say where a record stands."""

    def where(self, position: int) -> tuple[str, str]:
        """Returns the place of a record and its text."""

    def check(self) -> None:
        """Raises `InputError` at the first malformed record."""


@contextlib.contextmanager
def reading(engine: Engine, raw: RawFiles) -> Iterator[None]:
    """Turns the engine's errors in reading raw files into ours.

    Raises:
        InputError: If a record is malformed: file and line.
    """
    try:
        yield
    except engine.read_errors as error:
        if not engine.blames_files(error):
            raise
        raw.check()
        # Malformed in a way that only the engine minds: mixed line ends, say.
        raise InputError(
            f"The raw files cannot be read: {engine.reason(error)}"
        ) from error


def store(
    engine: Engine, name: str, table: ir.Table, raw: RawFiles
) -> ir.Table:
    """Reads raw files into a table of the engine, which may live on disk.

    Raises:
        InputError: If a record is malformed: file and line.
    """
    with reading(engine, raw):
        return engine.store(name, table)


def store_interactions(
    engine: Engine,
    fields: ir.Table,
    raw: RawFiles,
    times: str = "integer",
    layout: str = "",
) -> ir.Table:
    """Reads raw fields as interactions and checks every one.

    Args:
        engine: Where to.
        fields: Columns `sequence`, `item`, `timestamp`, `position` and
            optionally `rating`: strings or already typed, null where a
            record has not the right layout.
        raw: The files they come from, to name a bad line.
        times: "integer" or "iso": how strings give a time. ISO times become
            microseconds since 1970 (UTC), so that no order is lost.
        layout: What a record should look like, for the error message.

    Returns:
        The table that `Source.table` describes.

    Raises:
        InputError: At the first malformed record: file, line, what was
            expected and what stands there.
    """
    columns = {
        "sequence": engine.text(fields.sequence),
        "item": engine.text(fields.item),
        "timestamp": _time(fields.timestamp, times),
        "position": fields.position,
    }
    if "rating" in fields.columns:
        columns["rating"] = _cast(fields.rating, "float64", _NUMBER)
    # Malformed values are null here: one pass over the raw text, then a scan
    # of the stored columns for what is wrong.
    table = store(engine, "interactions", fields.select(**columns), raw)
    expected = _expected(table, times, layout)
    refuse_first(table, expected, raw)
    return table


def refuse_first(
    table: ir.Table, expected: ir.StringValue, raw: RawFiles
) -> None:
    """Raises at the first record, in file order, that is not as it should be.

    Args:
        table: Has the column `position`.
        expected: What a record should have been, null where it is right.
        raw: The files, to name the record's place and show its text.

    Raises:
        InputError: File, line, what was expected and what stands there.
    """
    wrong = (
        table.select("position", expected=expected)
        .filter(ibis._.expected.notnull())
        .order_by("position")
        .limit(1)
    )
    for row in wrong.to_pyarrow().to_pylist():
        place, text = raw.where(row["position"])
        shown = text if len(text) <= 120 else text[:120] + "..."
        raise InputError(
            f"{place}: expected {row['expected']}. Received: {shown!r}."
        )


def _expected(table: ir.Table, times: str, layout: str) -> ir.StringColumn:
    """Says of each row what should have stood there; null if it is right."""
    cases: list[tuple[Any, str]] = [
        (table.sequence.fill_null("") == "", layout or "a sequence id"),
        (table.item.fill_null("") == "", layout or "an item id"),
        *(
            (
                table[name].re_search(_NOT_IN_IDS),
                f"{article} {name} id without tabs and line ends",
            )
            for article, name in (("a", "sequence"), ("an", "item"))
        ),
        (table.timestamp.isnull(), f"a timestamp, {_TIMES[times]}"),
        (table.timestamp < 0, "a timestamp of at least 0, the year 1970"),
    ]
    if "rating" in table.columns:
        # A NaN would pass the filter of ratings: engines rank it highest.
        number = table.rating.fill_null(float("nan"))
        wrong = number.isnan() | number.isinf()
        cases.append((wrong, "a rating, a number"))
    return ibis.cases(*cases, else_=ibis.null(dt.string))


def _time(column: ir.Column, times: str) -> ir.IntegerValue:
    """Returns the time as an integer, null where it is malformed."""
    if column.type().is_string() and times == "integer":
        return _cast(column, "int64", _INTEGER)
    if column.type().is_numeric():
        # Casting alone would round 978300760.5.
        whole = column.try_cast("int64")
        exact = whole.cast("float64") == column.cast("float64")
        return exact.ifelse(whole, ibis.null(dt.int64))
    moment = _cast(column, "timestamp", _ISO_TIME)
    # `epoch_seconds` has a fraction on some engines and none on others; the
    # text of a time has one on all.
    seconds = moment.epoch_seconds().floor().cast("int64")
    fraction = moment.cast("string").re_extract(r"[.]([0-9]{1,6})", 1)
    return seconds * 1_000_000 + fraction.rpad(6, "0").cast("int64")


def _cast(column: ir.Column, kind: str, pattern: str) -> ir.Column:
    """Casts a column, a text by its pattern; null where it cannot be."""
    if column.type().is_string():
        column = column.re_extract(pattern, 1)
    return column.try_cast(kind)
