import collections
import random

import pytest

from tests.data.test_preparation import make_config, read_records
from tfrec.data import DataConfig, card, prepare
from tfrec.errors import InputError

TEMPORAL = {"protocol": "temporal", "timestamps_per_second": 1}


def make_log(seed, events=400, users=60, items=40, moments=150):
    """(user, item, time), with several events at most times, in no order.

    A user comes some time, and stays for a third of the log.
    """
    draw = random.Random(seed)
    log = []
    for _ in range(events):
        user = draw.randrange(users)
        time = user * moments // users + draw.randrange(moments // 3)
        log.append((f"u{user}", f"i{int(items * draw.random() ** 2)}", time))
    return log


def lines(log):
    return [f"{user},{item},{time}" for user, item, time in log]


def at(log, quantile):
    """Returns the time of event int(quantile * n), from 0."""
    times = sorted(time for _, _, time in log)
    return times[int(quantile * len(times))]


def frequent(log, least_items, least_events):
    items = collections.Counter(item for _, item, _ in log)
    log = [row for row in log if items[row[1]] >= least_items]
    users = collections.Counter(user for user, _, _ in log)
    return [row for row in log if users[row[0]] >= least_events]


def in_time(log):
    found = collections.defaultdict(list)
    for user, item, _ in sorted(log, key=lambda row: row[2]):
        found[user].append(item)
    return {user: tuple(items) for user, items in found.items()}


def reference(log, quantile, fraction, least_items=1, least_events=1):
    """Returns the events of each part, in plain Python."""
    cut = at(log, quantile)
    before = [row for row in log if row[2] < cut]
    before = frequent(before, least_items, least_events)
    users = {row[0] for row in before}
    test = [row for row in log if row[2] >= cut and row[0] in users]
    start = at(before, 1 - fraction)
    fit = [row for row in before if row[2] < start]
    return fit, [row for row in before if row[2] >= start], test


def known(data, items):
    """Replaces what is not in the vocabulary, whose order is not tested."""
    return tuple(i if i in data.vocabulary.items else None for i in items)


def records(data, split):
    """Returns {user: (items, targets)}, None for an unseen item."""
    size = data.num_items
    data.vocabulary.items += [None] * 99
    found = read_records(data, split)
    del data.vocabulary.items[size:]
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("least_items", "least_events", "fraction"), [(1, 1, 0.2), (6, 4, 0.1)]
)
def test_a_log_is_cut_as_a_plain_program_does(
    tmp_path, seed, least_items, least_events, fraction
):
    log = make_log(seed)
    data = prepare(
        make_config(
            tmp_path,
            lines(log),
            test_quantile=0.75,
            validation_fraction=fraction,
            min_item_count=least_items,
            min_sequence_length=least_events,
            **TEMPORAL,
        )
    )
    parts = reference(log, 0.75, fraction, least_items, least_events)
    fit, tail, test = map(in_time, parts)
    before = in_time(parts[0] + parts[1])
    assert set(data.vocabulary.items) == {i for u in before.values() for i in u}
    assert records(data, "train") == {
        user: (items, tail.get(user, ()))
        for user, items in fit.items()
        if len(items) >= 2
    }
    # Trained on with the validation only.
    assert records(data, "late") == {
        user: (items, ())
        for user, items in before.items()
        if len(items) >= 2 and len(fit.get(user, ())) < 2
    }
    assert records(data, "validation") == {
        user: (fit[user], items) for user, items in tail.items() if user in fit
    }
    assert records(data, "test") == {
        user: (before[user], known(data, items)) for user, items in test.items()
    }
    assert data.manifest.short_sequences == sum(
        len(items) < 2 for items in before.values()
    )


@pytest.mark.parametrize("seed", range(3))
def test_every_event_is_in_one_part_or_counted_as_dropped(tmp_path, seed):
    log = make_log(seed)
    data = prepare(
        make_config(
            tmp_path,
            lines(log),
            test_quantile=0.7,
            min_item_count=5,
            min_sequence_length=3,
            **TEMPORAL,
        )
    )
    steps = {s["step"]: s for s in data.manifest.counts}

    def left(name):
        return steps[name]["interactions"]

    train, test, both = (
        next(s for s in steps if s.startswith(name))
        for name in ("train: before", "test: from", "train and test")
    )
    assert left("raw log") == left(train) + left(test)
    dropped = left(train) - left("train: sequences with >= 3")
    dropped += left(test) - left("test: sequences of the training")
    assert dropped > 0
    assert left("raw log") == left(both) + dropped
    # And what is left is in the records, but for single events before the
    # test: of each user, all of the past with all of the future.
    fit = data.manifest.splits
    past = sum(len(i) + len(t) for i, t in records(data, "train").values())
    past += fit["late"]["tokens"]
    future = sum(len(t) for _, t in records(data, "test").values())
    assert past + future == left(both)
    # Users of the test period that have no history are counted.
    assert (
        steps[test]["sequences"]
        > steps["test: sequences with a history"]["sequences"]
        >= steps["test: sequences of the training"]["sequences"]
        == fit["test"]["records"]
    )


@pytest.mark.parametrize(
    ("test_from", "history", "targets"),
    [
        ("1970-01-01 00:00:30", "abc", "de"),
        # An event at the moment of the cut is after it.
        ("1970-01-01 00:00:31", "abcd", "e"),
        ("1970-01-01T00:00:31Z", "abcd", "e"),
    ],
)
def test_the_test_begins_at_a_given_time(tmp_path, test_from, history, targets):
    log = [("u", item, 10 * n) for n, item in enumerate("abcde")]
    log += [("v", item, 10 * n) for n, item in enumerate("dabce")]
    data = prepare(
        make_config(
            tmp_path,
            lines(log),
            test_from=test_from,
            validation_fraction=0.0,
            min_sequence_length=1,
            **TEMPORAL,
        )
    )
    items, future = records(data, "test")["u"]
    assert items == tuple(history)
    assert future == known(data, targets)
    assert data.describe("test").startswith(f"temporal {test_from}, history ex")


def test_a_date_is_cut_in_the_unit_of_the_log(tmp_path):
    day = 86_400_000
    log = [("u", f"i{n}", n * day // 2) for n in range(8)]
    data = prepare(
        make_config(
            tmp_path,
            lines(log),
            protocol="temporal",
            timestamps_per_second=1000,
            test_from="1970-01-03",
            validation_fraction=0.25,
            min_sequence_length=1,
        )
    )
    assert records(data, "test") == {
        "u": (("i0", "i1", "i2", "i3"), (None,) * 4)
    }
    assert "train: before 1970-01-03 " in card(data)
    assert "validation: from 1970-01-02 12:00:00" in card(data)


@pytest.mark.parametrize(("fraction", "trained"), [(0.8, 2), (0.7, 3)])
def test_a_fraction_loses_no_event_to_rounding(tmp_path, fraction, trained):
    log = [("u", f"i{n}", n) for n in range(10)]
    data = prepare(
        make_config(
            tmp_path,
            lines(log),
            **TEMPORAL,
            test_quantile=1.0,
            validation_fraction=fraction,
        )
    )
    assert data.manifest.splits["train"]["tokens"] == trained


def test_milliseconds_called_seconds_are_refused(tmp_path):
    log = [("u", f"i{n}", 1704597106351 + n) for n in range(8)]
    config = make_config(tmp_path, lines(log), **TEMPORAL)
    with pytest.raises(InputError, match=r"9999.*`--timestamps_per_second`"):
        prepare(config)


def test_targets_never_seen_in_training_are_counted_and_missed(tmp_path):
    log = [("u", item, n) for n, item in enumerate("ababxyxa")]
    data = prepare(
        make_config(
            tmp_path,
            lines(log),
            test_quantile=0.5,
            validation_fraction=0.0,
            min_sequence_length=1,
            rank_history=True,
            **TEMPORAL,
        )
    )
    # Of x, y and a.
    expected = "1 users, 2 of 3 targets never seen in training"
    assert data.describe("test").endswith(expected)
    (batch,) = data.evaluation("test").as_numpy_iterator()
    assert batch.targets.tolist() == [[3, 3, 1]]
    assert data.vocabulary.items == ["a", "b"]


def test_all_before_the_test_is_trained_on(tmp_path):
    log = make_log(3)
    data = prepare(make_config(tmp_path, lines(log), **TEMPORAL))
    cut = at(log, 0.9)
    before = frequent([row for row in log if row[2] < cut], 1, 5)
    assert data.manifest.splits["late"]["records"]

    def trained(fit_on):
        return sorted(
            tuple(data.vocabulary.lookup(row[row > 0]))
            for batch in data.training(8, fit_on=fit_on).as_numpy_iterator()
            for row in batch.items
        )

    assert trained("all") == sorted(in_time(before).values())
    assert len(trained("train")) == data.manifest.splits["train"]["records"]
    assert data.steps_per_epoch(8, "all") == len(data.training(8, fit_on="all"))


def test_what_only_fit_on_all_trains_on_is_no_user(tmp_path):
    data = prepare(make_config(tmp_path, lines(make_log(3)), **TEMPORAL))
    train = list(records(data, "train"))
    assert data.num_users == data.users.size == len(train)
    late = set(records(data, "late"))
    assert late & set(records(data, "test"))
    assert not late & set(data.users.items)


@pytest.mark.parametrize(
    ("settings", "pattern"),
    [
        ({"dataset": "synthetic"}, "cannot be temporal .*synthetic.* no times"),
        ({"dataset": "sequences"}, "cannot be temporal .*sequences.* no times"),
        ({"dataset": "sessions"}, "cannot be temporal .*sessions.* no times"),
        ({"test_from": "2018-13-01"}, "`--test_from` must be a date or time"),
        ({"test_from": "yesterday"}, "`--test_from` must be .*'yesterday'"),
        (
            {"test_from": "2018-01-01", "test_quantile": 0.5},
            "`--test_quantile` means nothing with `--test_from`",
        ),
        ({"test_quantile": 1.5}, "`--test_quantile` must be at most 1"),
        ({"test_fraction": 0.3}, "`--test_fraction` means nothing with"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, pattern):
    with pytest.raises(InputError, match=pattern):
        DataConfig(protocol="temporal", **settings)


@pytest.mark.parametrize(
    ("settings", "step", "flag"),
    [
        ({"test_from": "1960-01-01"}, "train: before 1960-01-01", "test_from"),
        ({"test_from": "2030-01-01"}, "test: from 2030-01-01", "test_from"),
        ({"test_quantile": 0.001}, "train: before 1970-", "test_quantile"),
        ({"validation_fraction": 0.999}, "train: before 1970-", "validation_f"),
    ],
)
def test_a_cut_that_leaves_nothing_names_its_flag(
    tmp_path, settings, step, flag
):
    config = make_config(
        tmp_path,
        lines(make_log(0)),
        min_sequence_length=1,
        **TEMPORAL,
        **settings,
    )
    pattern = f"after the filter '{step}.*Change `--{flag}"
    with pytest.raises(InputError, match=pattern):
        prepare(config)
