"""Tests of who moves when."""

from tfrec.models.base.player import in_turns


def test_turns_follow_each_other():
    assert in_turns(3, 1) == ([(0, 1, 2), (3,)], 4)
    assert in_turns(1, 2, 1) == ([(0,), (1, 2), (3,)], 4)
