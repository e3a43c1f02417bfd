"""Tests of times in words."""

import pytest

from tfrec.durations import duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (170, "3 min"),
        (3599, "1 h 0 min"),
        (90 * 60, "1 h 30 min"),
    ],
)
def test_a_time_is_said_as_a_person_would(seconds, words):
    assert duration(seconds) == words
