"""How a log is divided into the parts for training and those held out."""

import ibis
import ibis.expr.types as ir

from tfrec.data.filters import Step, Store
from tfrec.data.protocols.parts import (
    MIN_TRAINING_ITEMS,
    TEST,
    TRAIN,
    VALIDATION,
)


def share(count: ir.IntegerValue, fraction: float) -> ir.IntegerValue:
    """Returns int(fraction * count)."""
    # Doubles, as in Python's int(0.2 * n): some engines would take a decimal.
    product = count.cast("float64") * ibis.literal(fraction, "float64")
    return product.floor().cast("int64")


def tail_parts(
    rows: ir.Table, training: ir.IntegerValue, validation: ir.IntegerValue
) -> ir.IntegerValue:
    """Divides sequences by place: first training, then validation, then test.

    The validation never leaves fewer than `MIN_TRAINING_ITEMS` in training.

    Args:
        rows: Column `rank`, the row's place in its sequence from 0.
        training: How many items of the row's sequence are not for the test.
        validation: How many of these are for the validation, the last ones.

    Returns:
        The part of each row, int8.
    """
    room = ibis.greatest(training - MIN_TRAINING_ITEMS, 0)
    fit = training - ibis.least(validation, room)
    return ibis.cases(
        (rows["rank"] < fit, TRAIN),
        (rows["rank"] < training, VALIDATION),
        else_=TEST,
    ).cast("int8")


def together(parts: dict[int, ir.Table], store: Store) -> Step:
    """Returns the last step of a divided log: all parts in one table.

    Args:
        parts: The interactions of each part, by its value of `part`.
        store: Computes a table once for all that is made from it.
    """
    both = ibis.union(
        *(
            rows.mutate(part=ibis.literal(part, "int8"))
            for part, rows in parts.items()
        )
    )
    name = "train and test" if TEST in parts else "train"
    return Step(name, store(both), "raw_dir", stored=True)
