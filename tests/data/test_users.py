"""Users: who has which index, and that it stays with its sequence."""

import numpy as np
import pytest
import tensorflow as tf

from tests.data.protocols.test_next_click import session_config
from tests.data.test_preparation import make_config, read_records
from tests.prepared import prepare_sequences
from tfrec.batches import UNKNOWN_USER
from tfrec.data import card, prepare


@pytest.fixture(scope="module")
def sequences():
    """Row i belongs to user i + 1 and has items of its own only."""
    rng = np.random.default_rng(3)
    return [[i + 1] * int(rng.integers(2, 40)) for i in range(300)]


@pytest.fixture(scope="module")
def data(sequences, tmp_path_factory):
    pairs = [(row, [301, 302][: 1 + i % 2]) for i, row in enumerate(sequences)]
    return prepare_sequences(
        tmp_path_factory.mktemp("users"),
        sequences,
        tails=[[i + 1] * (i % 3) for i in range(300)],
        # A user more than the training has.
        test=[*pairs, ([301, 301], [1])],
        shards=3,
    )


def check(batches):
    """Checks that rows are of their users; returns the users."""
    found = []
    for batch in batches:
        assert batch.user.dtype == np.int32
        assert batch.user.shape == batch.items.shape[:1]
        for user, row in zip(batch.user, batch.items, strict=True):
            assert set(row[row > 0]) == {user}
        found.extend(batch.user.tolist())
    return found


@pytest.mark.parametrize("fit_on", ["train", "all"])
def test_a_training_row_has_its_user(data, fit_on):
    batches = data.training(7, max_length=9, fit_on=fit_on, epochs=2)
    found = check(batches.as_numpy_iterator())
    for epoch in (found[:300], found[300:]):
        assert sorted(epoch) == list(range(1, 301))
        assert epoch != sorted(epoch)


def test_the_rows_of_several_workers_have_their_users(data):
    found = []
    for worker in range(2):
        context = tf.distribute.InputContext(2, worker, 4)
        batches = data.training(16, input_context=context)
        found += check(batches.as_numpy_iterator())
    assert sorted(found) == list(range(1, 301))


def test_an_evaluated_row_has_its_user_or_an_unknown_one(data):
    found = []
    for batch in data.evaluation("test", 7).as_numpy_iterator():
        assert batch.user.dtype == np.int32
        for user, history in zip(batch.user, batch.history, strict=True):
            (item,) = set(history[history > 0])
            assert user == (item if item <= 300 else UNKNOWN_USER)
        found.extend(batch.user.tolist())
    assert sorted(found) == list(range(301))


def test_users_are_numbered_in_the_order_of_their_training_records(tmp_path):
    # Too short to train on: "short", between others.
    lines = [f"z,i{n},{n}" for n in range(9)]
    lines += [f"short,i{n},{n}" for n in range(2)]
    lines += [f"a,i{n},{n}" for n in range(9)]
    data = prepare(
        make_config(tmp_path, lines, min_sequence_length=1, test_fraction=0.5)
    )
    assert (data.data_dir / "users.txt").read_text() == "z\na\n"
    assert data.users.items == list(read_records(data, "train"))
    assert data.num_users == data.users.size == 2
    assert "2 users" in card(data)
    (batch,) = data.evaluation("test").as_numpy_iterator()
    lengths = np.count_nonzero(batch.history, 1)
    assert dict(zip(lengths, batch.user, strict=True))[1] == UNKNOWN_USER
    assert sorted(batch.user) == [0, 1, 2]
    data.verify()


def test_sessions_have_no_users(tmp_path):
    data = prepare(session_config(tmp_path, ["a b c"] * 20, ["a b"]))
    assert (data.data_dir / "users.txt").read_bytes() == b""
    assert data.num_users == data.users.size == 0
    assert "no users" in card(data)
    for batches in (data.training(fit_on="all"), data.evaluation("test")):
        for batch in batches.as_numpy_iterator():
            assert set(batch.user) == {UNKNOWN_USER}


def test_a_sequence_id_of_two_lines_is_refused(tmp_path):
    lines = ['"u\nv",i,1', "w,i,2"]
    with pytest.raises(ValueError, match="a sequence id without tabs and line"):
        prepare(make_config(tmp_path, lines))
