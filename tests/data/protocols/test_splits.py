"""Whatever the log: no event is in two parts, and training knows no future."""

import collections
import itertools

import ibis
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import examples
from tfrec.data import DataConfig
from tfrec.data.examples import group_rows, number_items, order_rows
from tfrec.data.protocols import get_protocol
from tfrec.data.protocols.parts import TEST, TRAIN, VALIDATION

NUMBERS = itertools.count()
SECONDS = 5  # Of a day, so that logs have some.
# By protocol: its settings, and what is left to draw.
SETTINGS = {
    "holdout": {"test_fraction": st.sampled_from([0.0, 0.2, 0.5, 0.9])},
    "leave_one_out": {},
    "temporal": {"test_quantile": st.sampled_from([0.3, 0.6, 0.9, 1.0])},
    "next_click": {
        "test_days": st.integers(0, 3),
        "training_fraction": st.sampled_from([1.0, 0.5]),
        "unseen_items": st.sampled_from(["drop", "drop_before_cut", "keep"]),
    },
}
# Few values, so that sequences are long and times are tied.
EVENTS = st.tuples(st.integers(0, 5), st.integers(0, 6), st.integers(0, 19))


@pytest.fixture(scope="module")
def connection():
    return ibis.duckdb.connect()


def divide(connection, log, chunk, **settings):
    """Runs a preparation without files.

    Returns:
        The rows in the order of the sequences and of time, and the records of
        each split.
    """
    config = DataConfig(dataset="csv", min_sequence_length=1, **settings)
    protocol = get_protocol(config)

    def store(table):
        return connection.create_table(f"step_{next(NUMBERS)}", table)

    columns = dict(
        zip(("sequence", "item", "timestamp"), zip(*log, strict=True), strict=1)
    )
    columns["sequence"] = [f"u{name}" for name in columns["sequence"]]
    columns["item"] = [f"i{name}" for name in columns["item"]]
    columns["position"] = range(len(log))
    table = store(ibis.memtable(pa.table(columns)))
    for step in protocol.steps(table, SECONDS, store):
        table = step.table
        if not table.count().to_pyarrow().as_py():
            return [], {}  # Which a preparation refuses.
    table = store(table)
    items = store(number_items(table))
    names = dict(items.select("index", "item").to_pandas().values)
    found = order_rows(table, items, protocol).to_pyarrow()
    records = collections.defaultdict(list)
    batches = found.combine_chunks().to_batches(max_chunksize=chunk)
    for grouped in group_rows(iter(batches), protocol):
        for split, batch in grouped.items():
            records[split] += batch.to_pylist()
    rows = [
        (r["part"], r["sequence"], names[r["index"]], r["timestamp"])
        for r in found.to_pylist()
    ]
    named = {
        split: {
            record["id"]: tuple(
                [names[index] for index in record.get(column) or ()]
                for column in ("items", "targets")
            )
            for record in each
        }
        for split, each in records.items()
    }
    assert all(len(named[s]) == len(records[s]) for s in named)
    return rows, named


@pytest.mark.parametrize("protocol", SETTINGS)
@examples(3)
@given(data=st.data())
def test_property_parts_are_apart_in_time(connection, protocol, data):
    log = data.draw(st.lists(EVENTS, min_size=8, max_size=60))
    settings = data.draw(st.fixed_dictionaries(SETTINGS[protocol]))
    if protocol != "leave_one_out":
        fraction = st.sampled_from([0.0, 0.25, 0.6])
        settings["validation_fraction"] = data.draw(fraction)
    if protocol in ("temporal", "next_click"):
        settings["timestamps_per_second"] = 1
    chunk = data.draw(st.integers(1, 70))
    rows, records = divide(
        connection, log, chunk, protocol=protocol, **settings
    )
    # Each event of the log is one row at most, hence of one part.
    events = collections.Counter((f"u{s}", f"i{i}", t) for s, i, t in log)
    assert collections.Counter(row[1:] for row in rows) <= events
    check_times(protocol, rows)
    check_records(rows, records)


def check_times(protocol, rows):
    """Checks that nothing that is trained on is later than what is held out."""
    whole = protocol in ("temporal", "next_click")
    ends = collections.defaultdict(list)
    for part, sequence, _, time in rows:
        # Of all sequences, or of each.
        ends["" if whole else sequence, part].append(time)
    if protocol == "next_click":
        # A session counts by its last click.
        last = {}
        for part, sequence, _, time in rows:
            last[sequence, part] = max(time, last.get((sequence, part), 0))
        ends = collections.defaultdict(list)
        for (_, part), time in last.items():
            ends["", part].append(time)
    for (who, part), times in ends.items():
        for later in (VALIDATION, TEST):
            if part < later and (who, later) in ends:
                assert max(times) <= min(ends[who, later])


def check_records(rows, records):
    """Checks that the records of a sequence are its rows, each once."""
    parts = collections.defaultdict(
        lambda: {TRAIN: [], VALIDATION: [], TEST: []}
    )
    for part, sequence, item, _ in rows:
        parts[sequence][part].append(item)
    for sequence, by_part in parts.items():
        fit, tail, held = by_part[TRAIN], by_part[VALIDATION], by_part[TEST]
        expected = {
            "train": (fit, tail),
            "late": (fit + tail, []),
            "validation": (fit, tail),
            "test": (fit + tail, held),
        }
        if "late" not in records:  # A session is whole, in one of them.
            assert sum(map(bool, by_part.values())) == 1
            expected = {
                "train": (fit, []),
                "validation": (tail, []),
                "test": (held, []),
            }
        seen = [split for split in expected if sequence in records[split]]
        for split in seen:
            assert records[split][sequence] == expected[split]
        if "late" in records:
            assert ("test" in seen) == bool(fit + tail and held)
            assert ("validation" in seen) == bool(fit and tail)
            assert ("train" in seen) == (len(fit) >= 2)
        else:
            assert len(seen) == 1
