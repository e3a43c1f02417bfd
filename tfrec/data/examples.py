"""From filtered interactions to one record for each sequence."""

from collections.abc import Iterable, Iterator

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfrec.batches import UNKNOWN_USER
from tfrec.data.protocols import Protocol
from tfrec.data.protocols.parts import (
    MIN_TRAINING_ITEMS,
    TEST,
    TRAIN,
    VALIDATION,
)


def number_items(table: ir.Table) -> ir.Table:
    """Gives each item its index, 1 for the first to appear.

    Appearance is in time, sequence after sequence in the order of their ids,
    so that the order of the raw lines does not matter. The known numbers of
    Pop, which ranks equals in the order of the vocabulary, come from such an
    order. Items that only the test has come after all others: they are not of
    the vocabulary.

    Args:
        table: Filtered interactions, with `part` if they are divided by now.

    Returns:
        A table of `item`, `index` int64 and `held_out`, boolean: whether only
        the test has the item. In the order of the index.
    """
    held_out = ibis.literal(False)
    if "part" in table.columns:
        held_out = table.part == TEST
    keys = ["held_out", "sequence", "timestamp", "position"]
    events = table.select("item", *keys[1:], held_out=held_out.cast("int8"))
    # Each item's first event: first by one key, of these by the next.
    for key in keys:
        first = events.group_by("item").agg(**{key: events[key].min()})
        events = events.join(first, ["item", key])
    index = ibis.row_number().over(order_by=[events[key] for key in keys])
    numbered = events.select(
        "item",
        index=index.cast("int64") + 1,
        held_out=events.held_out.cast("boolean"),
    )
    return numbered.order_by("index")


def order_rows(
    table: ir.Table, items: ir.Table, protocol: Protocol
) -> ir.Table:
    """Orders the interactions by sequence, then time, and divides them.

    Sequences come in the order in which the log first names them, so an
    unsorted log gives the same sequences.

    Args:
        table: Filtered interactions, with `part` if they are divided by now.
        items: What `number_items` returned.
        protocol: Divides them otherwise.

    Returns:
        Columns `sequence` (string), `start` (int64, one for each sequence),
        `part` (int8, see `parts`), `index` and `timestamp` (int64), in order.
    """
    whole = ibis.window(group_by=table.sequence)
    in_time = ibis.window(
        group_by=table.sequence, order_by=[table.timestamp, table.position]
    )
    ranked = table.mutate(
        start=table.position.min().over(whole),
        length=table.count().over(whole),
        rank=ibis.row_number().over(in_time),
    )
    ranked = ranked.mutate(part=protocol.parts(ranked))
    rows = ranked.join(items, "item").order_by(["start", "rank"])
    return rows.select("sequence", "start", "part", "index", "timestamp")


def group_rows(
    batches: Iterable[pa.RecordBatch], protocol: Protocol
) -> Iterator[dict[str, pa.RecordBatch]]:
    """Groups a stream of rows into the records of the splits.

    Args:
        batches: Rows of `order_rows`, cut anywhere.
        protocol: Says which records a sequence gives.

    Yields:
        For each split a batch with the columns `id`, `items`, `user` and,
        where sequences are divided, `targets`. Users are numbered from 1 in
        the order of their training records. Those to be evaluated have `gaps`
        too: for each example of a record, what the clock counted from the last
        event of its history to the next one.
    """
    # Of a sequence that may go on: put together once, when it has ended.
    rest: list[pa.RecordBatch] = []
    users = 0

    def group() -> dict[str, pa.RecordBatch]:
        nonlocal users
        records = protocol.group(_join(rest), users)
        users += len(records["train"])
        return records

    for batch in batches:
        start = batch.column("start").to_numpy()
        cut = int(np.searchsorted(start, start[-1]))
        if cut:
            rest.append(batch.slice(0, cut))
        elif rest and rest[-1].column("start")[-1].as_py() == start[-1]:
            rest.append(_copy(batch))
            continue
        if rest:
            yield group()
        rest.append(batch.slice(cut))
    if rest:
        yield group()


def _copy(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Returns the rows with memory of their own, which `_join` can free.

    That of what an engine gave is freed for all columns together.
    """
    return pa.RecordBatch.from_arrays(
        [pa.concat_arrays([column, column[:0]]) for column in rows.columns],
        rows.schema.names,
    )


def _join(parts: list[pa.RecordBatch]) -> pa.RecordBatch:
    """Puts batches together, and takes them from the list.

    A sequence may be most of the memory: but for its first and last batch, only
    a column of it is held twice.
    """
    names = parts[0].schema.names
    columns = {name: [part.column(name) for part in parts] for name in names}
    parts.clear()
    joined = [pa.concat_arrays(columns.pop(name)) for name in names]
    return pa.RecordBatch.from_arrays(joined, names)


def whole(rows: pa.RecordBatch) -> dict[str, pa.RecordBatch]:
    """Makes a record of each sequence, in one split and without targets.

    Args:
        rows: Of whole sequences, as `order_rows` returns them.
    """
    first = _first_rows(rows)
    ends = np.append(first, len(rows)).astype(np.int32)
    # Each click but the first of a session is an example.
    times = rows.column("timestamp").to_numpy()
    gaps = np.delete(np.diff(times, prepend=times[:1]), first)
    clicks = ends - np.arange(len(ends), dtype=np.int32)
    batch = pa.RecordBatch.from_pydict(
        {
            "id": rows.column("sequence").take(pa.array(first)),
            "items": pa.ListArray.from_arrays(ends, rows.column("index")),
            "user": pa.array(np.full(len(first), UNKNOWN_USER)),
            "gaps": pa.ListArray.from_arrays(clicks, gaps),
        }
    )
    part = rows.column("part").to_numpy()[first]
    return {
        "train": batch.filter(pa.array(part == TRAIN)),
        "validation": batch.filter(pa.array(part == VALIDATION)),
        "test": batch.filter(pa.array(part == TEST)),
    }


def divided(rows: pa.RecordBatch, users: int) -> dict[str, pa.RecordBatch]:
    """Makes the records of sequences that are divided between the splits.

    Args:
        rows: Of whole sequences, as `order_rows` returns them.
        users: Number of users in the rows before.

    Returns:
        Train: what is trained on, and the tail that validates. Late: both
        together as items, where only they are enough to train on. Validation:
        the same as train, of the sequences with such a tail. Test: both
        together, and the held-out items. A sequence is in train if it has
        enough items, and in the others if it has a history and targets there.
    """
    first = _first_rows(rows)
    ids = rows.column("sequence").take(pa.array(first))
    index, part = rows.column("index"), rows.column("part").to_numpy()

    def lists(*kept: int) -> tuple[pa.ListArray, np.ndarray]:
        mask = np.isin(part, kept)
        lengths = np.add.reduceat(mask.astype(np.int32), first)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        values = index.filter(pa.array(mask))
        return pa.ListArray.from_arrays(pa.array(offsets), values), lengths

    fit, fit_lengths = lists(TRAIN)
    tail, tail_lengths = lists(VALIDATION)
    history, history_lengths = lists(TRAIN, VALIDATION)
    targets, target_lengths = lists(TEST)
    nothing, _ = lists()
    enough = fit_lengths >= MIN_TRAINING_ITEMS
    late = ~enough & (history_lengths >= MIN_TRAINING_ITEMS)
    user = np.where(enough, users + np.cumsum(enough), UNKNOWN_USER)

    # One for each sequence: before the first item that is not of the history.
    times = rows.column("timestamp").to_numpy()
    single = np.arange(len(first) + 1, dtype=np.int32)

    def since(lengths: np.ndarray) -> pa.ListArray:
        after = np.minimum(first + lengths, len(rows) - 1)
        gaps = times[after] - times[np.maximum(after - 1, 0)]
        return pa.ListArray.from_arrays(single, gaps)

    def batch(items, targets, kept: np.ndarray, **more) -> pa.RecordBatch:
        columns = {"id": ids, "items": items, "user": pa.array(user)}
        found = pa.RecordBatch.from_pydict(
            {**columns, "targets": targets, **more}
        )
        # A filter copies, and one sequence may be most of the memory.
        return found if kept.all() else found.filter(pa.array(kept))

    return {
        "train": batch(fit, tail, enough),
        "late": batch(history, nothing, late),
        "validation": batch(
            fit,
            tail,
            (tail_lengths > 0) & (fit_lengths > 0),
            gaps=since(fit_lengths),
        ),
        "test": batch(
            history,
            targets,
            (target_lengths > 0) & (history_lengths > 0),
            gaps=since(history_lengths),
        ),
    }


def _first_rows(rows: pa.RecordBatch) -> np.ndarray:
    """Returns the number of each sequence's first row."""
    start = rows.column("start").to_numpy()
    return np.flatnonzero(np.append(True, start[1:] != start[:-1]))


def count_targets(records: pa.RecordBatch, num_items: int) -> dict[str, int]:
    """Counts the items that are to be predicted, each once in a record.

    Args:
        records: Columns `items`, the history, and `targets`.
        num_items: Size of the vocabulary.

    Returns:
        `targets`, their number; `targets_in_history`, how many of them the
        history holds; `unseen_targets`, how many are not in the vocabulary.
    """
    rows, items = _pairs(records.column("items"))
    target_rows, targets = _pairs(records.column("targets"))
    # One number for each item of each record.
    base = 1 + max(items.max(initial=0), targets.max(initial=0))
    wanted = np.unique(target_rows * base + targets)
    return {
        "targets": len(wanted),
        "targets_in_history": int(np.isin(wanted, rows * base + items).sum()),
        "unseen_targets": int((wanted % base > num_items).sum()),
    }


def count_clicks(records: pa.RecordBatch, num_items: int) -> dict[str, int]:
    """Counts the clicks that are to be predicted: all but the first.

    Args:
        records: Column `items`, whole sessions.
        num_items: Size of the vocabulary.

    Returns:
        As `count_targets`. Items outside the vocabulary are in no history.
    """
    rows, items = _pairs(records.column("items"))
    _, firsts = np.unique(
        rows * (1 + items.max(initial=0)) + items, return_index=True
    )
    repeated = np.ones(len(items), bool)
    repeated[firsts] = False
    predicted = np.diff(rows, prepend=-1) == 0
    unseen = items > num_items
    return {
        "targets": int(predicted.sum()),
        "targets_in_history": int((repeated & ~unseen).sum()),
        "unseen_targets": int((predicted & unseen).sum()),
    }


def _pairs(column: pa.ListArray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the number of the row, and the item, of each item of lists."""
    lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False)
    rows = np.repeat(np.arange(len(column)), lengths)
    return rows, column.flatten().to_numpy(zero_copy_only=False)
