"""Filters of interactions, in the order in which they are applied."""

import dataclasses
from collections.abc import Callable, Iterator

import ibis
import ibis.expr.types as ir

from tfrec.data import times
from tfrec.data.config import DataConfig

# Computes a table once for all that is made from it.
Store = Callable[[ir.Table], ir.Table]

_EVENT = ("sequence", "item", "timestamp")


@dataclasses.dataclass(frozen=True)
class Step:
    """What one step of the filters leaves.

    Attributes:
        name: For the card: "rating > 3".
        table: The interactions that are left; those of a part where the name
            says so.
        flag: The setting to change if nothing is left.
        stored: Whether the table is computed already.
    """

    name: str
    table: ir.Table
    flag: str
    stored: bool = False


def events(table: ir.Table, config: DataConfig) -> Iterator[Step]:
    """Yields the raw log, then what the filters of single events leave of it.

    Args:
        table: The table that `Source.read` returned.
        config: The settings of the filters.
    """
    yield Step("raw log", table, "raw_dir")
    if config.since:
        start = times.microseconds(config.since)
        table = table.filter(table.timestamp >= start)
        yield Step(f"since {config.since}", table, "since")
    if "rating" in table.columns:
        above = config.rating_above
        table = table.filter(table.rating > above).drop("rating")
        yield Step(f"rating > {above:g}", table, "rating_above")
    if config.drop_duplicates:
        place = ibis.row_number().over(group_by=_EVENT, order_by=table.position)
        table = table.filter(place == 0)
        yield Step("no duplicates", table, "drop_duplicates")


def frequencies(
    table: ir.Table,
    config: DataConfig,
    least: int,
    store: Store,
    part: str = "",
) -> Iterator[Step]:
    """Yields what the filters leave that count items and sequences.

    Sequences are filtered after items, so that every sequence that is left
    has the length that was asked for.

    Args:
        table: What `events` left, or a part of it.
        config: The settings of the filters.
        least: Fewest interactions of a sequence that is kept.
        store: Computes a table once for all that is made from it.
        part: What stands before the names of the steps: "train: ".
    """
    while True:
        before = table
        if config.min_item_count > 1:
            table = frequent(table, "item", config.min_item_count, store)
            name = f"{part}items with >= {config.min_item_count}"
            yield Step(name, table, "min_item_count")
        if least > 1:
            step = long_enough(table, least, store, part)
            yield step
            table = step.table
        if table is before or not config.repeat_filters:
            break
    if config.truncate_before_split:
        newest = config.truncate_before_split
        age = ibis.row_number().over(
            group_by=table.sequence,
            order_by=[table.timestamp.desc(), table.position.desc()],
        )
        table = table.filter(age < newest)
        name = f"{part}newest {newest} of each sequence"
        yield Step(name, table, "truncate_before_split")


def long_enough(
    table: ir.Table,
    least: int,
    store: Store,
    part: str = "",
    flag: str = "min_sequence_length",
) -> Step:
    """Returns the step that keeps sequences of at least so many events."""
    left = frequent(table, "sequence", least, store)
    return Step(f"{part}sequences with >= {least}", left, flag)


def count_duplicates(table: ir.Table) -> ir.IntegerScalar:
    """Counts events that repeat an earlier one: equal but for the rating."""
    events = table.group_by(_EVENT).agg(times=table.count())
    return (events.times - 1).sum().fill_null(0)


def frequent(
    table: ir.Table, column: str, least: int, store: Store
) -> ir.Table:
    """Keeps the rows whose value in a column is there often enough.

    Returns:
        `table` itself if it has no others.
    """
    counts = table.group_by(column).agg(times=table.count())
    # Fewer than the frequent ones, so the join holds less.
    rare = store(counts.filter(counts.times < least))
    if not rare.count().to_pyarrow().as_py():
        return table
    return store(table.anti_join(rare, column))
