"""From filtered interactions to one example for each sequence."""

from collections.abc import Iterable, Iterator

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from tfrec.data import splits
from tfrec.data.config import DataConfig


def number_items(table: ir.Table) -> ir.Table:
    """Gives each item its index, 1 for the first to appear.

    Appearance is in time, sequence after sequence in the order of their ids,
    so that the order of the raw lines does not matter. The known numbers of
    Pop, which ranks equals in the order of the vocabulary, come from such an
    order.

    Returns:
        A table of `item` and `index` int64, in the order of the index.
    """
    keys = ["sequence", "timestamp", "position"]
    events = table.select("item", *keys)
    # Each item's first event: first by one key, of these by the next.
    for key in keys:
        first = events.group_by("item").agg(**{key: events[key].min()})
        events = events.join(first, ["item", key])
    index = ibis.row_number().over(order_by=[events[key] for key in keys])
    numbered = events.select("item", index=index.cast("int64") + 1)
    return numbered.order_by("index")


def order_rows(
    table: ir.Table, items: ir.Table, config: DataConfig
) -> ir.Table:
    """Orders the interactions by sequence, then time, and splits them.

    Sequences come in the order in which the log first names them, so an
    unsorted log gives the same sequences.

    Args:
        table: Filtered interactions.
        items: What `number_items` returned.
        config: Names the protocol.

    Returns:
        Columns `sequence` (string), `start` (int64, one for each sequence),
        `index` (int64) and `part` (int8, see `splits`), in order.
    """
    whole = ibis.window(group_by=table.sequence)
    in_time = ibis.window(
        group_by=table.sequence, order_by=[table.timestamp, table.position]
    )
    ranked = table.select(
        "sequence",
        "item",
        start=table.position.min().over(whole),
        length=table.count().over(whole),
        rank=ibis.row_number().over(in_time),
    )
    ranked = ranked.mutate(part=splits.parts(ranked, config))
    rows = ranked.join(items, "item").order_by(["start", "rank"])
    return rows.select("sequence", "start", "index", "part")


def group_rows(
    batches: Iterable[pa.RecordBatch],
) -> Iterator[dict[str, pa.RecordBatch]]:
    """Groups a stream of rows into the examples of the three splits.

    Args:
        batches: Rows of `order_rows`, cut anywhere.

    Yields:
        For "train", "validation" and "test", a batch with the columns `id`,
        `items` and `targets`. Train: what is trained on, and the tail that
        validates. Validation: the same, of the sequences with such a tail.
        Test: both together, and the held-out items. A sequence is in train
        if it has enough items, and in the others if it has targets there.
    """
    rest: list[pa.RecordBatch] = []
    for batch in batches:
        rows = pa.concat_batches([*rest, batch])
        start = rows.column("start").to_numpy()
        # The last sequence may go on in the next batch.
        cut = int(np.searchsorted(start, start[-1]))
        if cut:
            yield _examples(rows.slice(0, cut))
        rest = [rows.slice(cut)]
    if rest:
        yield _examples(pa.concat_batches(rest))


def _examples(rows: pa.RecordBatch) -> dict[str, pa.RecordBatch]:
    """Groups the rows of whole sequences."""
    start = rows.column("start").to_numpy()
    first = np.flatnonzero(np.diff(start, prepend=start[0] - 1))
    ids = rows.column("sequence").take(pa.array(first))
    index, part = rows.column("index"), rows.column("part").to_numpy()

    def lists(*kept: int) -> tuple[pa.ListArray, np.ndarray]:
        mask = np.isin(part, kept)
        lengths = np.add.reduceat(mask.astype(np.int32), first)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        values = index.filter(pa.array(mask))
        return pa.ListArray.from_arrays(pa.array(offsets), values), lengths

    def batch(items, targets, kept: np.ndarray) -> pa.RecordBatch:
        columns = {"id": ids, "items": items, "targets": targets}
        return pa.RecordBatch.from_pydict(columns).filter(pa.array(kept))

    fit, fit_lengths = lists(splits.TRAIN)
    tail, tail_lengths = lists(splits.VALIDATION)
    history, _ = lists(splits.TRAIN, splits.VALIDATION)
    targets, target_lengths = lists(splits.TEST)
    enough = fit_lengths >= splits.MIN_TRAINING_ITEMS
    return {
        "train": batch(fit, tail, enough),
        "validation": batch(fit, tail, tail_lengths > 0),
        "test": batch(history, targets, target_lengths > 0),
    }
