import collections
import random

import ibis
import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tests.data.test_preparation import make_config
from tests.properties import examples
from tfrec.data import DataConfig, prepare
from tfrec.data.protocols import get_protocol, session_cuts
from tfrec.data.protocols.parts import TEST, TRAIN, VALIDATION
from tfrec.errors import InputError

DAY = 100


def make_log(seed, sessions=40, days=6):
    """(session, item, time) in no order, some at one time."""
    draw = random.Random(seed)
    log = []
    for session in range(sessions):
        time = draw.randrange(days * DAY)
        for _ in range(draw.randrange(2, 7)):
            log.append((f"s{session}", f"i{draw.randrange(25)}", time))
            time += draw.randrange(4)
    draw.shuffle(log)
    return log


def run(log, held_out=None, **settings):
    """Returns the names of the steps, and their rows in file order."""
    names = ("sequence", "item", "timestamp")
    columns = {
        name: list(values)
        for name, values in zip(names, zip(*log, strict=True), strict=True)
    }
    columns["position"] = list(range(len(log)))
    if held_out:
        columns["held_out"] = [row[0] in held_out for row in log]
    config = DataConfig(
        dataset="yoochoose",
        protocol="next_click",
        min_sequence_length=2,
        **settings,
    )
    connection = ibis.duckdb.connect()
    table = connection.create_table("log", ibis.memtable(pa.table(columns)))
    found = session_cuts.steps(table, config, 2, DAY, lambda t: t)
    return [
        (step.name, step.table.order_by("position").to_pyarrow().to_pylist())
        for step in found
    ]


def sessions_by_age(log):
    """Returns the sessions, the newest first, each with its clicks."""
    ends, starts = {}, {}
    sizes = collections.Counter()
    for place, (session, _, time) in enumerate(log):
        ends[session] = max(ends.get(session, 0), time)
        starts.setdefault(session, place)
        sizes[session] += 1
    order = sorted(ends, key=lambda s: (ends[s], starts[s]), reverse=True)
    return order, ends, sizes


def seen_only(log, known, kept=None):
    """Drops items that are not known, then sessions of one click."""
    log = [row for row in log if row[1] in known]
    sizes = collections.Counter(row[0] for row in log)
    return [row for row in log if sizes[row[0]] >= 2]


def reference(log, test_days, fraction, unit, unseen, validation):
    order, ends, _ = sessions_by_age(log)
    late = {s for s in ends if ends[s] >= max(ends.values()) - test_days * DAY}
    train = [row for row in log if row[0] not in late]
    test = [row for row in log if row[0] in late]
    if unseen != "keep":
        test = seen_only(test, {row[1] for row in train})
    order, _, sizes = sessions_by_age(train)
    weight = {s: 1 if unit == "sessions" else sizes[s] - 1 for s in order}
    room, kept = int(fraction * sum(weight.values())), set()
    for session in order:
        room -= weight[session]
        if room < 0:
            break
        kept.add(session)
    train = [row for row in train if row[0] in kept]
    if unseen == "drop":
        test = seen_only(test, {row[1] for row in train})
    order, _, _ = sessions_by_age(train)
    newest = set(order[: int(validation * len(order))])
    return (
        [row for row in train if row[0] not in newest],
        [row for row in train if row[0] in newest],
        test,
    )


@examples(5)
@given(
    st.integers(0, 2**32),
    st.sampled_from(["drop", "drop_before_cut", "keep"]),
    # All of it can be said in one way only.
    st.just((1.0, "sessions"))
    | st.tuples(st.floats(0.2, 0.9), st.sampled_from(["sessions", "clicks"])),
    st.integers(1, 2),
)
def test_property_sessions_are_held_out_as_a_plain_program_does(
    seed, unseen, share, days
):
    log = make_log(seed)
    fraction, unit = share
    settings = {
        "test_days": days,
        "training_fraction": fraction,
        "training_fraction_of": unit,
        "unseen_items": unseen,
        "validation_fraction": 0.25,
    }
    *_, (_, rows) = run(log, **settings)
    found = tuple(
        [
            (row["sequence"], row["item"], row["timestamp"])
            for row in rows
            if row["part"] == part
        ]
        for part in (TRAIN, VALIDATION, TEST)
    )
    expected = reference(
        log, settings["test_days"], fraction, unit, unseen, 0.25
    )
    assert found == expected
    assert all(found)


def test_a_session_that_ends_a_day_before_the_last_event_is_the_test():
    log = [
        ("a", "i", 0),
        ("a", "i", 99),
        ("b", "i", 0),
        ("b", "i", 100),
        ("c", "i", 200),
        ("c", "i", 150),
    ]
    (_, train), (_, test), *_ = run(log)
    assert {row["sequence"] for row in train} == {"a"}
    assert {row["sequence"] for row in test} == {"b", "c"}


def test_every_cut_is_a_step():
    names = [name for name, _ in run(make_log(0), training_fraction=0.5)]
    assert names == [
        "train: ends before the last day",
        "test: ends in the last day",
        "test: items of the training",
        "test: sequences with >= 2",
        "train: newest 0.5",
        "test: items of the training",
        "test: sequences with >= 2",
        "train and test",
    ]


def test_a_test_that_comes_with_the_log_is_taken_as_it_is():
    log = [("a", "x", 1), ("a", "y", 2), ("b", "x", 3), ("b", "y", 4)]
    # Of items that the training has not, and older.
    log += [("t", "z", 0), ("t", "w", 0)]
    steps = run(log, held_out={"t"}, validation_fraction=0.5)
    assert [name for name, _ in steps] == ["train", "test", "train and test"]
    _, rows = steps[-1]
    assert [(row["sequence"], row["part"]) for row in rows[::2]] == [
        ("a", TRAIN),
        ("b", VALIDATION),
        ("t", TEST),
    ]
    assert "held_out" not in rows[0]


def test_the_filters_repeat_until_neither_drops_anything():
    # Without "c", "z" is rare; without "z", "b" is too short; then "y" is rare.
    log = [
        ("c", "z", 0),
        ("b", "z", 1),
        ("b", "y", 2),
        ("a", "y", 3),
        ("a", "x", 4),
        ("a", "x", 5),
    ]
    columns = zip(*log, strict=True)
    names = ("sequence", "item", "timestamp")
    table = ibis.memtable(
        pa.table(
            dict(zip(names, map(list, columns), strict=True))
            | {"position": range(len(log))}
        )
    )

    def left(**settings):
        config = DataConfig(
            dataset="yoochoose",
            protocol="next_click",
            min_sequence_length=2,
            min_item_count=2,
            **settings,
        )
        # The last session is the test.
        steps = get_protocol(config).steps(table, 1, lambda t: t)
        found = []
        for step in steps:
            if step.name.startswith("train"):
                break
            found.append(step)
        rows = found[-1].table.order_by("position").to_pyarrow().to_pylist()
        return [row["item"] for row in rows], [step.name for step in found]

    once, names = left()
    assert once == ["y", "x", "x"]
    short, rare = "sequences with >= 2", "items with >= 2"
    assert names == ["raw log", short, rare, short]
    repeated, names = left(repeat_filters=True)
    assert repeated == ["x", "x"]
    # The last pass finds nothing.
    assert names == ["raw log", short, *[rare, short] * 3]


def session_config(folder, train, test, **settings):
    (folder / "train_sessions.txt").write_text("\n".join(train) + "\n")
    (folder / "test_sessions.txt").write_text("\n".join(test) + "\n")
    return DataConfig(
        dataset="sessions",
        protocol="next_click",
        raw_dir=str(folder),
        data_dir=str(folder / "out"),
        **{"min_sequence_length": 2, **settings},
    )


def read_names(data, split):
    """Returns {id: items of a whole session}, None for an unseen item."""
    found = {}
    for shard in data.manifest.splits[split]["shards"]:
        path = str(data.data_dir / shard["file"])
        for record in tf.data.TFRecordDataset(path):
            feature = tf.train.Example.FromString(record.numpy())
            feature = feature.features.feature
            assert not feature["targets"].int64_list.value
            (name,) = feature["id"].bytes_list.value
            found[name.decode()] = [
                data.vocabulary.items[i - 1] if i <= data.num_items else None
                for i in feature["items"].int64_list.value
            ]
    return found


def test_sessions_are_held_out_whole(tmp_path):
    # Repeated clicks stay; sessions of one click cannot be used.
    train = ["b a b b", "a", *["a c"] * 8, "c d"]
    data = prepare(session_config(tmp_path, train, ["d e a", "e", "e a"]))
    assert read_names(data, "train")["train 1"] == ["b", "a", "b", "b"]
    assert len(read_names(data, "train")) == 9
    assert read_names(data, "validation") == {"train 11": ["c", "d"]}
    # What the training has not is the item after the last.
    assert read_names(data, "test") == {
        "test 1": ["d", None, "a"],
        "test 3": [None, "a"],
    }
    assert sorted(data.vocabulary.items) == ["a", "b", "c", "d"]
    held = data.manifest.splits
    assert held["validation"]["unseen_targets"] == 0
    assert held["test"]["unseen_targets"] == 1
    # Of "b a b b" the training has two; of these none.
    assert held["test"]["targets_in_history"] == 0
    assert held["test"]["targets"] == 3
    counts = {
        step["step"]: (step["interactions"], step["sequences"], step["items"])
        for step in data.manifest.counts
    }
    assert counts == {
        "raw log": (29, 14, 5),
        "sequences with >= 2": (27, 12, 5),
        "train": (22, 10, 4),
        "test": (5, 2, 3),
        "train and test": (27, 12, 5),
    }
    data.verify()


@pytest.mark.parametrize("least", [1, 2])
def test_a_session_of_one_click_is_never_used(tmp_path, least):
    config = session_config(
        tmp_path, ["a b", "c"], ["a b", "c"], min_sequence_length=least
    )
    data = prepare(config)
    assert data.vocabulary.items == ["a", "b"]
    assert [s["records"] for s in data.manifest.splits.values()] == [1, 0, 1]


def test_a_log_within_the_days_of_the_test_is_refused(tmp_path):
    lines = [f"u{n % 20},i{n % 3},{n}" for n in range(200)]
    config = make_config(
        tmp_path, lines, protocol="next_click", timestamps_per_second=1
    )
    pattern = "'train: ends before the last day'.*Change `--test_days`"
    with pytest.raises(InputError, match=pattern):
        prepare(config)


def test_times_of_csv_can_count_anything_in_a_second(tmp_path):
    # Four sessions of five clicks, one each day; the last two are in one day.
    lines = [
        f"u{day},i{n},{int(1e12) + 86_400_000 * day + n}"
        for day in (0, 1, 2, 2.5)
        for n in range(5)
    ]
    config = make_config(
        tmp_path, lines, protocol="next_click", timestamps_per_second=1000
    )
    assert set(read_names(prepare(config), "test")) == {"u2", "u2.5"}


def test_yoochoose_1_64_has_its_published_counts(tmp_path, real_data):
    config = DataConfig(
        dataset="sessions",
        protocol="next_click",
        raw_dir=str(real_data / "yoochoose1_64"),
        data_dir=str(tmp_path / "out"),
        min_sequence_length=2,
    )
    data = prepare(config)
    counts = {step["step"]: step for step in data.manifest.counts}
    assert counts["train"]["sequences"] == 116_167
    assert counts["train"]["interactions"] == 486_026
    assert counts["train"]["items"] == data.num_items == 17_376
    assert counts["test"]["sequences"] == 15_324
    # The validation is cut from the training.
    train = data.examples("train") + data.examples("validation")
    assert train == 369_859
    assert data.examples("test") == 55_898
    assert data.manifest.splits["test"]["unseen_targets"] == 412
    assert data.manifest.splits["validation"]["records"] == 11_616
