import numpy as np
import pytest
import tensorflow as tf

from tests.prepared import prepare_sequences
from tfrec.data import windows
from tfrec.shapes import fixed_size

NUM_ITEMS = 40


@pytest.fixture(scope="module")
def sessions():
    """Sessions that repeat items and have some never seen in training."""
    rng = np.random.default_rng(5)
    return [
        rng.integers(1, NUM_ITEMS + 2, rng.integers(2, 30)).tolist()
        for _ in range(300)
    ]


@pytest.fixture(scope="module")
def data(sessions, tmp_path_factory):
    pairs = [(session, []) for session in sessions]
    return prepare_sequences(
        tmp_path_factory.mktemp("clicks"),
        train=[[1, 2]],
        test=pairs,
        num_items=NUM_ITEMS,
        protocol="next_click",
        shards=3,
    )


def reference_rows(sessions):
    return [
        ([item for item in session[:t] if item <= NUM_ITEMS], session[t])
        for session in sessions
        for t in range(1, len(session))
    ]


def rows(batches):
    return [
        (history[history > 0].tolist(), target)
        for batch in batches
        for history, (target,) in zip(batch.history, batch.targets, strict=True)
    ]


def stream(data, batch_size=7):
    return list(data.evaluation("test", batch_size).as_numpy_iterator())


@pytest.mark.parametrize("batch_size", [1, 7, 64, 10_000])
def test_every_click_but_the_first_is_a_row_once(data, sessions, batch_size):
    found = stream(data, batch_size)
    expected = reference_rows(sessions)
    assert sorted(rows(found)) == sorted(expected)
    assert data.examples("test") == len(expected)
    assert data.evaluation("test", batch_size).cardinality() == len(found)
    assert max(len(batch.targets) for batch in found) <= batch_size


def test_padding_is_only_at_the_end_and_types_are_kept(data):
    for batch in stream(data):
        assert {array.dtype for array in batch} == {np.dtype("int32")}
        history = batch.history
        lengths = np.count_nonzero(history, axis=1)
        assert history.shape[1] == max(1, fixed_size(lengths.max()))
        valid = np.arange(history.shape[1]) < lengths[:, None]
        np.testing.assert_array_equal(history > 0, valid)
        assert batch.targets.shape == (len(history), 1)
        assert batch.excluded.shape == (len(history), 0)


def test_rows_of_a_batch_have_like_lengths_in_a_fixed_order(data):
    found = stream(data)
    lengths = [np.count_nonzero(b.history, axis=1) for b in found]
    # Up to 29; the batches of a window share that range.
    assert np.mean([np.ptp(row) for row in lengths]) < 2
    for one, two in zip(found, stream(data), strict=True):
        for column, other in zip(one, two, strict=True):
            np.testing.assert_array_equal(column, other)


def test_a_history_of_unseen_items_only_is_empty(tmp_path):
    data = prepare_sequences(
        tmp_path,
        train=[[1, 2]],
        test=[([3, 3, 1], [])],
        num_items=2,
        protocol="next_click",
    )
    (batch,) = stream(data)
    assert batch.history.tolist() == [[0], [0]]
    assert batch.targets.tolist() == [[3], [1]]


def test_rows_are_made_for_some_sessions_at_a_time(data, sessions, monkeypatch):
    made = []
    deal = windows.deal

    def watched(rows, plan):
        def look(history, targets, records):
            tf.numpy_function(
                lambda targets: made.append(len(targets)), [targets], []
            )
            return history, targets, records

        return deal(rows.map(look), plan)

    monkeypatch.setattr(windows, "deal", watched)
    stream(data, batch_size=50)
    assert sum(made) == len(reference_rows(sessions))
    # A batch needs 4 sessions, of up to 28 rows each.
    assert max(made) <= 4 * 28
