"""From raw fields to checked interactions."""

import contextlib
from collections.abc import Iterator
from typing import Any, Protocol

import duckdb
import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from tfrec.errors import InputError

# Other offsets than UTC are refused: a cast would silently ignore them.
_ISO_TIME = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?)?(Z|[+]00:?00)?$"
)
# Ids are lines of items.txt and fields of titles.tsv.
_NOT_IN_IDS = r"[\t\n\r]"
_TIMES = {
    "integer": "an integer",
    "iso": "a UTC date or time: 2018-01-31 or 2018-01-31 12:00:00",
}
# What DuckDB raises when a file is not what it should be.
_READ_ERRORS = (duckdb.InvalidInputException, duckdb.ConversionException)


class RawFiles(Protocol):
    """Raw files that can say where a record stands."""

    def where(self, position: int) -> tuple[str, str]:
        """Returns the place of a record and its text."""

    def check(self) -> None:
        """Raises `InputError` at the first malformed record."""


@contextlib.contextmanager
def reading(raw: RawFiles) -> Iterator[None]:
    """Turns the engine's errors in reading raw files into ours.

    Raises:
        InputError: If a record is malformed: file and line.
    """
    try:
        yield
    except _READ_ERRORS as error:
        raw.check()
        # Malformed in a way that only the engine minds: mixed line ends, say.
        reason = str(error).partition("\nPossible")[0]
        raise InputError(f"The raw files cannot be read: {reason}") from error


def store(
    connection: ibis.BaseBackend, name: str, table: ir.Table, raw: RawFiles
) -> ir.Table:
    """Reads raw files into a table of the engine, which may live on disk.

    Raises:
        InputError: If a record is malformed: file and line.
    """
    with reading(raw):
        return connection.create_table(name, table)


def store_interactions(
    connection: ibis.BaseBackend,
    fields: ir.Table,
    raw: RawFiles,
    times: str = "integer",
    layout: str = "",
) -> ir.Table:
    """Reads raw fields as interactions and checks every one.

    Args:
        connection: The engine.
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
        "sequence": fields.sequence.cast("string"),
        "item": fields.item.cast("string"),
        "timestamp": _time(fields.timestamp, times),
        "position": fields.position,
    }
    if "rating" in fields.columns:
        columns["rating"] = fields.rating.try_cast("float64")
    # Malformed values are null here: one pass over the raw text, then a scan
    # of the stored columns for what is wrong.
    table = store(connection, "interactions", fields.select(**columns), raw)
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
        (
            table.item.re_search(_NOT_IN_IDS),
            "an item id without tabs and line ends",
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
    if not column.type().is_temporal() and times == "integer":
        # Casting alone would round 978300760.5.
        whole = column.try_cast("int64")
        exact = whole.cast("float64") == column.try_cast("float64")
        return exact.ifelse(whole, ibis.null(dt.int64))
    if column.type().is_string():
        fits = column.re_search(_ISO_TIME)
        column = fits.ifelse(column, ibis.null(dt.string))
    moment = column.try_cast("timestamp")
    # `epoch_seconds` has a fraction on some engines and none on others; the
    # text of a time has one on all.
    seconds = moment.epoch_seconds().floor().cast("int64")
    fraction = moment.cast("string").re_extract(r"[.]([0-9]{1,6})", 1)
    return seconds * 1_000_000 + fraction.rpad(6, "0").cast("int64")
