"""A log cut at one moment for all sequences: the steps of `temporal`."""

from collections.abc import Iterator

import ibis
import ibis.expr.types as ir

from tfrec.data import times
from tfrec.data.config import DataConfig
from tfrec.data.filters import Step, Store, frequencies
from tfrec.data.protocols.division import together
from tfrec.data.protocols.parts import TEST, TRAIN, VALIDATION


def steps(
    table: ir.Table, config: DataConfig, least: int, day: int, store: Store
) -> Iterator[Step]:
    """Yields what is left of the training and of the test, then both.

    With a quantile of 1 there is no test.

    Args:
        table: Interactions, of which single events are filtered.
        config: The settings of the protocol and of the filters that count.
        least: Fewest interactions of a sequence that is kept, before the cut.
        day: What `timestamp` counts in a day.
        store: Computes a table once for all that is made from it.

    Yields:
        Steps; the table of the last has the column `part` int8, see `parts`.
    """
    if config.test_from:
        flag = "test_from"
        cut = times.as_timestamp(config.test_from, day)
    else:
        flag = "test_quantile"
        cut = _quantile(table, config.test_quantile)
    if cut is None:
        train, test = store(table), None
    else:
        train, test = _cut(table, cut, store)
        when = times.as_text(cut, day)
        yield Step(f"train: before {when}", train, flag)
        yield Step(f"test: from {when}", test, flag)
        test = _known(test, train, store)
        yield Step("test: sequences with a history", test, flag)
    for step in frequencies(train, config, least, store, "train: "):
        yield step
        train = step.table
    parts = {TRAIN: train}
    if test is not None:
        parts[TEST] = _known(test, train, store)
        flag = "min_sequence_length"
        yield Step("test: sequences of the training", parts[TEST], flag)
    start = _quantile(train, 1 - config.validation_fraction)
    if start is not None:
        fit, validation = _cut(train, start, store)
        when = times.as_text(start, day)
        flag = "validation_fraction"
        yield Step(f"train: before {when}", fit, flag)
        yield Step(f"validation: from {when}", validation, flag)
        evaluated = _known(validation, fit, store)
        yield Step("validation: sequences with a history", evaluated, flag)
        parts |= {TRAIN: fit, VALIDATION: validation}
    yield together(parts, store)


def _quantile(table: ir.Table, quantile: float) -> int | None:
    """Returns the time of event quantile * n of n, from 0, in time order.

    Returns:
        None if there is none: with a quantile of 1.
    """
    total = table.count().to_pyarrow().as_py()
    moments = table.group_by("timestamp").agg(events=table.count())
    until = moments.events.sum().over(
        ibis.cumulative_window(order_by=moments.timestamp)
    )
    later = moments.mutate(until=until)
    # 1 - .8 is a little less than .2, and not another event.
    later = later.filter(later.until > int(round(quantile * total, 6)))
    return later.timestamp.min().to_pyarrow().as_py()


def _cut(table: ir.Table, cut: int, store: Store) -> tuple[ir.Table, ir.Table]:
    """Returns what is before a moment, and what is not."""
    before = table.timestamp < cut
    return store(table.filter(before)), store(table.filter(~before))


def _known(later: ir.Table, earlier: ir.Table, store: Store) -> ir.Table:
    """Returns the rows of the sequences that have some rows earlier."""
    return store(
        later.semi_join(earlier.select("sequence").distinct(), "sequence")
    )
