"""`sequences`: one sequence in each line, `id item item ...`."""

from pathlib import Path

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from tfrec.data.config import DataConfig
from tfrec.data.engine import Engine
from tfrec.data.sources.base import Log, Source
from tfrec.data.sources.fields import refuse_first, store
from tfrec.data.sources.lines import Lines
from tfrec.errors import InputError


class SequencesSource(Source):
    """A file whose lines are sequences in time order, split at blanks.

    There are no times: an item's place in the file stands for its time.
    """

    def files(self, config: DataConfig) -> list[Path]:
        """Returns the file, the one of the folder if that is given."""
        path = config.raw_path
        found = [path] if path.is_file() else sorted(path.glob("*.txt"))
        if len(found) == 1:
            return found
        raise InputError(
            "`--raw_dir` must be a text file of sequences, or a folder with "
            f"one .txt file. Received: {path}, with {len(found)} such files."
        )

    def read(self, engine: Engine, config: DataConfig) -> Log:
        """Returns the interactions, every line checked."""
        raw = Lines(self.files(config)[0])
        lines = raw.table(engine)
        words = lines.line.strip().re_split(r"\s+")
        if config.sequence_ids:
            lines = lines.select("position", sequence=words[0], items=words[1:])
        else:
            number = (lines.position + 1).cast("string")
            lines = lines.select("position", sequence=number, items=words)
        lines = store(engine, "lines", lines, raw)
        if config.sequence_ids:
            _check_ids(lines, raw)
        return Log(engine.store("interactions", spread(lines)), None)


def spread(lines: ir.Table) -> ir.Table:
    """Gives each item of a line a row of its own.

    Args:
        lines: `position`, the line's number from 0; `sequence` string; `items`
            [string]; other columns are kept.

    Returns:
        `sequence`, `item`, `timestamp` and `position` int64, equal and in the
        order of the items, and the other columns.
    """
    # Room for the longest line, so that positions are unique and ordered.
    width = (lines["items"].length().max().to_pyarrow().as_py() or 0) + 1
    items = lines.unnest("items", offset="place")
    position = items.position * width + items.place.cast("int64")
    items = items.mutate(position=position, timestamp=position)
    return items.drop("place").rename(item="items")


def _check_ids(lines: ir.Table, raw: Lines) -> None:
    """Raises if a line has no items, or its id stands in an earlier one."""
    again = ibis.row_number().over(
        group_by=lines.sequence, order_by=lines.position
    )
    expected = ibis.cases(
        (lines["items"].length() == 0, "an id and at least one item"),
        (
            again > 0,
            "an id that no earlier line has (give --nosequence_ids if the "
            "lines do not start with an id)",
        ),
        else_=ibis.null(dt.string),
    )
    refuse_first(lines, expected, raw)
