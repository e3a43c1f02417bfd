import ibis
import pyarrow as pa

from tfrec.data import filters
from tfrec.data.config import DataConfig
from tfrec.data.protocols import get_protocol


def log(*rows, rated=False):
    """A log of (sequence, item, timestamp[, rating]) in file order."""
    columns = dict(
        zip(
            ["sequence", "item", "timestamp", "rating"],
            zip(*rows, strict=True),
            strict=False,
        )
    )
    columns["position"] = range(len(rows))
    return ibis.memtable(pa.table({k: list(v) for k, v in columns.items()}))


def apply(table, **settings):
    """Returns the steps by name, each the (sequence, item, timestamp) left."""
    settings = {"min_sequence_length": 1} | settings
    return {
        step.name: [
            (row["sequence"], row["item"], row["timestamp"])
            for row in step.table.order_by("position").to_pyarrow().to_pylist()
        ]
        for step in get_protocol(DataConfig(**settings)).steps(
            table, 1, lambda t: t
        )
    }


def test_ratings_are_kept_strictly_above():
    table = log(("u", "a", 1, 3.0), ("u", "b", 2, 3.5), ("u", "c", 3, 5.0))
    found = apply(table, rating_above=3.5)
    assert found["rating > 3.5"] == [("u", "c", 3)]


def test_only_steps_in_force_are_listed():
    assert list(apply(log(("u", "a", 1)))) == ["raw log"]


def test_short_sequences_go_with_all_their_events():
    table = log(("u", "a", 1), ("v", "a", 1), ("u", "b", 2), ("u", "a", 3))
    found = apply(table, min_sequence_length=3)
    assert found["sequences with >= 3"] == [
        ("u", "a", 1),
        ("u", "b", 2),
        ("u", "a", 3),
    ]


def test_lengths_are_those_after_ratings_and_items_are_filtered():
    table = log(
        ("u", "a", 1, 5.0),
        ("u", "b", 2, 1.0),
        ("v", "a", 3, 5.0),
        ("v", "a", 4, 5.0),
        ("w", "c", 5, 5.0),
        ("w", "a", 6, 5.0),
    )
    found = apply(table, min_item_count=2, min_sequence_length=2)
    assert found["items with >= 2"] == [
        ("u", "a", 1),
        ("v", "a", 3),
        ("v", "a", 4),
        ("w", "a", 6),
    ]
    assert found["sequences with >= 2"] == [("v", "a", 3), ("v", "a", 4)]


def test_the_newest_are_kept_and_ties_follow_the_file():
    table = log(
        ("u", "a", 5),
        ("u", "b", 5),
        ("u", "c", 1),
        ("u", "d", 5),
        ("v", "a", 0),
    )
    found = apply(table, truncate_before_split=2)
    assert found["newest 2 of each sequence"] == [
        ("u", "b", 5),
        ("u", "d", 5),
        ("v", "a", 0),
    ]


def test_since_keeps_its_day_and_later():
    day = 1514764800_000000  # 2018-01-01 in microseconds.
    table = log(("u", "a", day - 1), ("u", "b", day), ("u", "c", day + 1))
    found = apply(table, dataset="yelp", since="2018-01-01")
    assert found["since 2018-01-01"] == [("u", "b", day), ("u", "c", day + 1)]


REPEATED = (
    ("u", "a", 1),
    ("u", "a", 1),
    ("u", "a", 2),
    ("v", "a", 1),
    ("u", "a", 1),
)


def test_repeated_events_are_counted():
    count = filters.count_duplicates(log(*REPEATED))
    assert count.to_pyarrow().as_py() == 2
    count = filters.count_duplicates(log(*REPEATED[:1]))
    assert count.to_pyarrow().as_py() == 0


def test_repeated_events_are_kept_unless_asked():
    assert len(apply(log(*REPEATED))["raw log"]) == 5
    found = apply(log(*REPEATED), drop_duplicates=True)
    assert found["no duplicates"] == [
        ("u", "a", 1),
        ("u", "a", 2),
        ("v", "a", 1),
    ]
