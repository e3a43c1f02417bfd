"""From raw fields to checked interactions."""

import collections
import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from tfrec.data.engine import Engine
from tfrec.data.sources import times
from tfrec.data.sources.bad_rows import EXAMPLES, BadRows, shown
from tfrec.data.sources.text import other_end
from tfrec.errors import InputError

# A cast takes more, and engines not the same: "4f", for one. The first group is
# cast. `\z` for `$`, which lets a line end follow on some engines.
_NUMBER = r"^ *([+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?) *\z"
_DECIMAL_COMMA = r"[0-9],[0-9]"
# Ids are lines of items.txt and users.txt, and fields of titles.tsv.
_NOT_IN_IDS = r"[\t\n\r]"


class RawFiles(Protocol):
    """Raw files that can say where a record stands.

    Attributes:
        columns: Names of the columns.
        by_records: Whether each record can be read without the others.
        paths: The files.
    """

    columns: Sequence[str]
    by_records: bool
    paths: Sequence[Path]

    def where(self, positions: Sequence[int]) -> list[tuple[str, str]]:
        """Returns the places of records and their texts."""

    def check(self) -> None:
        """Raises `InputError` at the first malformed record."""


class Malformed(InputError):
    """The engine does not get past a record: it reads none of the file."""


@contextlib.contextmanager
def reading(engine: Engine, raw: RawFiles) -> Iterator[None]:
    """Turns the engine's errors in reading raw files into ours.

    Raises:
        Malformed: If a record cannot be read: file and line.
    """
    try:
        yield
    except engine.read_errors as error:
        if not engine.blames_files(error):
            raise
        try:
            raw.check()
        except InputError as found:
            raise Malformed(str(found)) from found
        # Malformed in a way that only the engine minds.
        reason = engine.reason(error)
        texts = engine.minds_line_ends and raw.by_records
        for path in raw.paths if texts else ():
            if line := other_end(path):
                raise Malformed(
                    f"{path}, line {line}: it ends otherwise than line 1, one "
                    "of them with a carriage return before the line feed. All "
                    f"lines must end alike: {reason}"
                ) from error
        names = ", ".join(map(str, raw.paths))
        raise Malformed(f"{names} cannot be read: {reason}") from error


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
    bad_rows: BadRows,
    kind: str = "integer",
    layout: str = "",
) -> ir.Table:
    """Reads raw fields as interactions and checks every one.

    Args:
        engine: Where to.
        fields: Columns `sequence`, `item`, `timestamp`, `position` and
            optionally `rating`: strings or already typed, null where a
            record has not the right layout.
        raw: The files they come from, to name a bad line.
        bad_rows: Whether malformed records may be skipped; counts them.
        kind: How strings give a time, see `times.whole`.
        layout: What a record should look like, for the error message.

    Returns:
        The table that `Source.read` describes. Where numbers may have a
        point, also `fraction`, see `times.millionths`.

    Raises:
        InputError: At the first malformed record, or if there are more than
            may be skipped: file, line, what was expected and what stands
            there.
    """
    columns = {
        "sequence": engine.text(fields.sequence),
        "item": engine.text(fields.item),
        "timestamp": times.whole(fields.timestamp, kind),
        "position": fields.position,
    }
    if kind == "number":
        columns["fraction"] = times.millionths(fields.timestamp)
    if "rating" in fields.columns:
        columns["rating"] = _rating(fields.rating)
    # What is null here and has a comma in the text; the text is not kept.
    commas = ibis.cases(
        *(
            (
                columns[name].isnull()
                & fields[name].re_search(_DECIMAL_COMMA).fill_null(False),
                name,
            )
            for name in ("timestamp", "rating")
            if name in columns and fields[name].type().is_string()
        ),
        (ibis.literal(False), ""),
        else_=ibis.null(dt.string),
    )
    # Malformed values are null here: one pass over the raw text, then a scan
    # of the stored columns for what is wrong.
    table = store(
        engine, "interactions", fields.select(**columns, comma=commas), raw
    )
    expected = _expected(table, kind, layout, fields.schema())
    return keep_good(engine, table, expected, raw, bad_rows).drop("comma")


def keep_good(
    engine: Engine,
    table: ir.Table,
    expected: ir.StringValue,
    raw: RawFiles,
    bad_rows: BadRows,
) -> ir.Table:
    """Leaves out the records that are not as they should be, if it may.

    Args:
        engine: Where the rest is stored.
        table: Has the column `position`.
        expected: What a record should have been, null where it is right.
        raw: The files, to name places.
        bad_rows: Whether records may be skipped; counts them.

    Raises:
        InputError: At the first wrong record, or if there are more than may
            be skipped.
    """
    if not bad_rows.skip:
        refuse_first(table, expected, raw)
        return table
    wrong = table.select("position", expected=expected)
    wrong = wrong.filter(wrong.expected.notnull())
    place = ibis.row_number().over(
        group_by=wrong.expected, order_by=wrong.position
    )
    counted = wrong.mutate(
        place=place, rows=wrong.count().over(group_by=wrong.expected)
    )
    first = counted.filter(counted.place < EXAMPLES).order_by("position")
    found = first.to_pyarrow().to_pylist()
    if found:
        examples = raw.where([row["position"] for row in found])
        reasons = collections.defaultdict(list)
        for row, example in zip(found, examples, strict=True):
            reasons[row["expected"], row["rows"]].append(example)
        for (reason, rows), some in reasons.items():
            bad_rows.add(reason, rows, some)
    bad_rows.rows += table.count().to_pyarrow().as_py()
    bad_rows.check()
    if not found:
        return table
    return engine.store("good_rows", table.filter(expected.isnull()))


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
        ((place, text),) = raw.where([row["position"]])
        raise InputError(
            f"{place}: expected {row['expected']}. Received: {shown(text)!r}."
        )


def _expected(
    table: ir.Table, kind: str, layout: str, raw: ibis.Schema
) -> ir.StringColumn:
    """Says of each row what should have stood there; null if it is right."""
    number = {
        name: ", a whole number" if raw[name].is_floating() else ""
        for name in ("sequence", "item")
    }
    cases: list[tuple[Any, str]] = [
        *(
            # Of spaces alone it is missing too.
            (
                table[name].fill_null("").strip() == "",
                layout or expected + number[name],
            )
            for name, expected in (
                ("sequence", "a sequence id"),
                ("item", "an item id"),
            )
        ),
        *(
            (
                table[name].re_search(_NOT_IN_IDS),
                f"{article} {name} id without tabs and line ends",
            )
            for article, name in (("a", "sequence"), ("an", "item"))
        ),
        *(
            (table.comma == name, f"a {name} with a decimal point, not a comma")
            for name in ("timestamp", "rating")
        ),
        (table.timestamp.isnull(), f"a timestamp, {times.EXPECTED[kind]}"),
        (table.timestamp < 0, "a timestamp of at least 0, the year 1970"),
    ]
    if "rating" in table.columns:
        # A NaN would pass the filter of ratings: engines rank it highest.
        number = table.rating.fill_null(float("nan"))
        wrong = number.isnan() | number.isinf()
        cases.append((wrong, "a rating, a number"))
    return ibis.cases(*cases, else_=ibis.null(dt.string))


def _rating(column: ir.Column) -> ir.Column:
    """Returns ratings as numbers, null where they are none."""
    if column.type().is_string():
        column = column.re_extract(_NUMBER, 1)
    return column.try_cast("float64")
