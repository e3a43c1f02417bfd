"""The people of a split, one by one."""

import pytest

from tests.prepared import prepare_sequences
from tfrec.data.people import People
from tfrec.errors import InputError


def test_users_have_histories_and_targets(tmp_path):
    data = prepare_sequences(
        tmp_path,
        train=[[1, 2], [3, 4]],
        test=[([1, 2], [5]), ([3, 4], [1, 2]), ([2], [3])],
    )
    people = People(data)
    assert (people.split, len(people)) == ("test", 3)
    assert people.named("u1") == ("u1", 2, [3, 4], [1, 2], 0)
    # Training did not know the third.
    assert people.named("u2") == ("u2", 0, [2], [3], 0)
    assert people.anyone(seed=1) == people.anyone(seed=1)
    assert {people.at(n).name for n in range(3)} == {"u0", "u1", "u2"}
    with pytest.raises(InputError, match=r"'u9'. There are 3, such as u"):
        people.named("u9")


def test_sessions_end_with_what_came_next(tmp_path):
    sessions = [([1, 2, 3], []), ([4, 5], [])]
    data = prepare_sequences(
        tmp_path, [[1, 2, 3]], sessions, sessions, protocol="next_click"
    )
    assert People(data).named("u0") == ("u0", 0, [1, 2], [3], 0)


def test_items_that_training_never_saw_are_counted(tmp_path):
    pairs = [([1, 6, 2], [7, 3])]
    data = prepare_sequences(
        tmp_path, [[1, 2, 3]], test=pairs, validation=pairs, num_items=5
    )
    assert People(data).named("u0") == ("u0", 1, [1, 2], [7, 3], 1)


def test_without_a_test_there_is_the_validation_or_nobody(tmp_path):
    pairs = [([1, 2], [3])]
    data = prepare_sequences(tmp_path / "one", [[1, 2]], validation=pairs)
    assert People(data).split == "validation"
    nobody = People(prepare_sequences(tmp_path / "none", [[1, 2]]))
    assert len(nobody) == 0
    with pytest.raises(InputError, match="neither test nor validation"):
        nobody.anyone()
