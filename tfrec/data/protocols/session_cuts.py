"""Whole sessions held out: which are the test, the validation, the training.

The protocol `next_click` predicts every click of a session from those before
it. So the sessions themselves are divided, in the order of their last event.
"""

from collections.abc import Generator, Iterator

import ibis
import ibis.expr.types as ir

from tfrec.data.config import DataConfig
from tfrec.data.filters import Step, Store, long_enough
from tfrec.data.protocols.division import together
from tfrec.data.protocols.parts import TEST, TRAIN, VALIDATION


def steps(
    table: ir.Table, config: DataConfig, least: int, day: int, store: Store
) -> Iterator[Step]:
    """Yields what is left of the training and of the test, then both.

    A test that comes with the log, in the column `held_out`, is taken as it
    is. Otherwise the sessions that end in the last days are the test, if there
    is to be one, and of the others the newest can be taken.

    Args:
        table: Filtered interactions.
        config: The settings of the protocol.
        least: Fewest interactions of a session that is kept.
        day: What `timestamp` counts in a day.
        store: Computes a table once for all that is made from it.

    Yields:
        Steps; the table of the last has the column `part` int8, see `parts`.
    """
    if "held_out" in table.columns:
        train = table.filter(~table.held_out).drop("held_out")
        test = table.filter(table.held_out).drop("held_out")
        yield Step("train", train, "train_file")
        yield Step("test", test, "test_file")
    else:
        if config.test_days:
            train, test = yield from _newest_for_test(table, config, day, store)
        else:
            train, test = store(table), None
        if test is not None and config.unseen_items != "keep":
            test = yield from _seen(test, train, least, store)
        if config.training_fraction < 1:
            fraction = config.training_fraction
            train = _newest(train, fraction, config.training_fraction_of)
            train = store(train)
            name = f"train: newest {fraction:g}"
            yield Step(name, train, "training_fraction")
            if test is not None and config.unseen_items == "drop":
                test = yield from _seen(test, train, least, store)
    validation = _newest(train, config.validation_fraction, "sessions")
    parts = {
        TRAIN: train.anti_join(validation, "sequence"),
        VALIDATION: validation,
    }
    if test is not None:
        parts[TEST] = test
    yield together(parts, store)


def _newest_for_test(
    table: ir.Table, config: DataConfig, day: int, store: Store
) -> Generator[Step, None, tuple[ir.Table, ir.Table]]:
    """Returns training and test, cut by the last event of each session."""
    newest = table.timestamp.max().to_pyarrow().as_py()
    ends = table.group_by("sequence").agg(end=table.timestamp.max())
    late = ends.filter(ends.end >= newest - config.test_days * day)
    train = store(table.anti_join(late, "sequence"))
    test = store(table.semi_join(late, "sequence"))
    days = "day" if config.test_days == 1 else f"{config.test_days} days"
    yield Step(f"train: ends before the last {days}", train, "test_days")
    yield Step(f"test: ends in the last {days}", test, "test_days")
    return train, test


def _seen(
    test: ir.Table, train: ir.Table, least: int, store: Store
) -> Generator[Step, None, ir.Table]:
    """Returns the test without items that the training has not."""
    test = store(test.semi_join(train.select("item").distinct(), "item"))
    yield Step("test: items of the training", test, "unseen_items")
    step = long_enough(test, least, store, "test: ", "unseen_items")
    yield step
    return step.table


def _newest(table: ir.Table, fraction: float, unit: str) -> ir.Table:
    """Returns the newest sessions, at most a fraction of all.

    Of sessions that end at one time, the one that the log names last is the
    newest.

    Args:
        table: Interactions.
        fraction: How much to keep.
        unit: "sessions", or "clicks": those that can be predicted, so all but
            the first of a session.
    """
    clicks = 1 if unit == "sessions" else table.count() - 1
    sessions = table.group_by("sequence").agg(
        end=table.timestamp.max(), start=table.position.min(), size=clicks
    )
    total = sessions["size"].sum().to_pyarrow().as_py()
    newest_first = ibis.cumulative_window(
        order_by=[sessions.end.desc(), sessions.start.desc()]
    )
    kept = sessions.select(
        "sequence", size=sessions["size"].sum().over(newest_first)
    )
    kept = kept.filter(kept["size"] <= int(fraction * total))
    return table.semi_join(kept, "sequence")
