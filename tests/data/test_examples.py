import collections
import random

import ibis
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.prepared import record_batch
from tests.properties import examples as draw_examples
from tfrec.data import examples
from tfrec.data.config import DataConfig
from tfrec.data.protocols import get_protocol
from tfrec.data.protocols.parts import TEST, TRAIN, VALIDATION

HOLDOUT = get_protocol(DataConfig(min_sequence_length=1))
SESSIONS = get_protocol(DataConfig(protocol="next_click"))


def make_log(events, seed=0):
    """A log of `events` random events, with many ties, in no order."""
    draw = random.Random(seed)
    return [
        {
            "sequence": f"u{draw.randrange(12)}",
            "item": f"i{draw.randrange(9)}",
            "timestamp": draw.randrange(15),
            "position": position * 3,
        }
        for position in range(events)
    ]


def in_time(log):
    return sorted(
        log, key=lambda event: (event["timestamp"], event["position"])
    )


def reference_vocabulary(log):
    ordered = sorted(in_time(log), key=lambda event: event["sequence"])
    return list(dict.fromkeys(event["item"] for event in ordered))


def reference_examples(log):
    index = {item: n for n, item in enumerate(reference_vocabulary(log), 1)}
    result = {"train": [], "late": [], "validation": [], "test": []}
    for name in dict.fromkeys(event["sequence"] for event in log):
        events = [e for e in in_time(log) if e["sequence"] == name]
        items = [index[event["item"]] for event in events]
        times = [event["timestamp"] for event in events]
        n = len(items)
        m = n - int(0.2 * n)
        v = m - max(0, min(int(0.1 * m), m - 2))
        user = len(result["train"]) + 1 if v >= 2 else 0
        if v >= 2:
            result["train"].append((name, items[:v], user, items[v:m]))
        if v < m:
            gaps = [times[v] - times[v - 1]]
            record = (name, items[:v], user, items[v:m], gaps)
            result["validation"].append(record)
        if m < n:
            gaps = [times[m] - times[m - 1]]
            result["test"].append((name, items[:m], user, items[m:], gaps))
    return result


def rows_of(log):
    connection = ibis.duckdb.connect()
    table = connection.create_table(
        "log", ibis.memtable(pa.Table.from_pylist(log))
    )
    items = connection.create_table("items", examples.number_items(table))
    return examples.order_rows(table, items, HOLDOUT).to_pyarrow()


def found_examples(rows, chunk):
    result = {"train": [], "late": [], "validation": [], "test": []}
    batches = rows.combine_chunks().to_batches(max_chunksize=chunk)
    for grouped in examples.group_rows(iter(batches), HOLDOUT):
        for split, batch in grouped.items():
            result[split] += [tuple(r.values()) for r in batch.to_pylist()]
    return result


@pytest.mark.parametrize("seed", range(3))
def test_items_are_numbered_by_first_appearance(seed):
    log = make_log(200, seed)
    numbered = examples.number_items(ibis.memtable(pa.Table.from_pylist(log)))
    found = numbered.to_pyarrow().to_pylist()
    assert [row["item"] for row in found] == reference_vocabulary(log)
    assert [row["index"] for row in found] == list(range(1, len(found) + 1))


def test_of_events_at_one_time_the_first_in_the_log_counts():
    # "b" comes first at time 1; at a later time "a" stands before it.
    log = [
        {"sequence": "u", "item": "a", "timestamp": 2, "position": 0},
        {"sequence": "u", "item": "b", "timestamp": 1, "position": 2},
        {"sequence": "u", "item": "a", "timestamp": 1, "position": 3},
    ]
    numbered = examples.number_items(ibis.memtable(pa.Table.from_pylist(log)))
    assert numbered.item.to_pyarrow().to_pylist() == ["b", "a"]


@draw_examples(3)
@given(st.integers(1, 200), st.integers(0, 2**32), st.integers(1, 200))
def test_property_examples_equal_the_obvious_ones_however_rows_are_cut(
    events, seed, chunk
):
    log = make_log(events, seed)
    assert found_examples(rows_of(log), chunk) == reference_examples(log)


def test_a_sequence_longer_than_a_batch_stays_whole():
    log = [
        {"sequence": "u", "item": f"i{n}", "timestamp": n, "position": n}
        for n in range(100)
    ]
    found = found_examples(rows_of(log), 8)
    assert found == reference_examples(log)
    assert len(found["test"]) == 1


def grouped_sessions(sessions, chunk):
    """Groups (id, part, items) as whole sequences."""
    rows = [
        {
            "sequence": name,
            "start": 10 * number,
            "part": part,
            "index": item,
            "timestamp": 100 * number + place**2,
        }
        for number, (name, part, items) in enumerate(sessions)
        for place, item in enumerate(items)
    ]
    schema = pa.schema(
        [
            ("sequence", pa.string()),
            ("start", pa.int64()),
            ("part", pa.int8()),
            ("index", pa.int64()),
            ("timestamp", pa.int64()),
        ]
    )
    table = pa.Table.from_pylist(rows, schema=schema)
    found = {"train": [], "validation": [], "test": []}
    batches = table.combine_chunks().to_batches(max_chunksize=chunk)
    counts = {split: collections.Counter() for split in found}
    for grouped in examples.group_rows(iter(batches), SESSIONS):
        for split, batch in grouped.items():
            found[split] += [tuple(r.values()) for r in batch.to_pylist()]
            counts[split].update(SESSIONS.count_targets(batch, num_items=5))
    return found, counts


@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_whole_sequences_are_rows_of_one_split(chunk):
    found, counts = grouped_sessions(
        [
            ("a", TRAIN, [1, 2, 1]),
            ("b", VALIDATION, [3, 3]),
            ("c", TEST, [6, 1, 6, 7, 1]),
            ("d", TRAIN, [4, 5]),
            ("e", TEST, [2, 6]),
        ],
        chunk,
    )
    # A session is of no user.
    assert found == {
        "train": [("a", [1, 2, 1], 0, [1, 3]), ("d", [4, 5], 0, [1])],
        "validation": [("b", [3, 3], 0, [1])],
        "test": [
            ("c", [6, 1, 6, 7, 1], 0, [1, 3, 5, 7]),
            ("e", [2, 6], 0, [1]),
        ],
    }
    # Nothing is predicted of a first click, and what training never saw is in
    # no history.
    assert counts["test"] == {
        "targets": 5,
        "targets_in_history": 1,
        "unseen_targets": 3,
    }
    assert counts["validation"]["targets_in_history"] == 1


def test_targets_are_counted_once_in_a_record():
    rows = [([1, 2, 2], [3, 3, 2, 9, 9, 8]), ([3], [1]), ([4], [4, 4])]
    assert examples.count_targets(record_batch(rows), num_items=7) == {
        "targets": 6,
        "targets_in_history": 2,
        "unseen_targets": 2,
    }
    nothing = examples.count_targets(record_batch([]), num_items=7)
    assert set(nothing.values()) == {0}


def test_too_short_a_sequence_is_not_trained_on():
    log = [{"sequence": "u", "item": "i", "timestamp": 0, "position": 0}]
    assert found_examples(rows_of(log), 8) == {
        "train": [],
        "late": [],
        "validation": [],
        "test": [],
    }
