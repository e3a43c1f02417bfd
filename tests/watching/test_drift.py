"""Shifts, lists and samples, by hand."""

import collections
import math

import numpy as np
import pytest

from tfrec.metrics.shifts import Share
from tfrec.watching import samples
from tfrec.watching.drift import (
    Counted,
    Popularity,
    Shown,
    count_shown,
    of_groups,
    of_numbers,
)
from tfrec.watching.samples import Frequent, Reservoir
from tfrec.watching.served import Answer


def test_a_shift_of_lengths_by_hand():
    before, now = {1: 50, 2: 30, 5: 20}, {5: 500, 2: 300, 1: 200}
    shift = of_numbers("lengths", before, now, least=1000, whole=True)
    assert shift.bins == ["1 or less", "2 to 3", "4 or more"]
    assert (shift.before, shift.now) == ([50, 30, 20], [200, 300, 500])
    assert shift.psi == pytest.approx(2 * 0.3 * math.log(2.5))
    assert shift.quantiles == ([1, 1, 1, 2, 5], [1, 2, 2, 5, 5])
    assert shift.ks is None
    assert shift.verdict == "large"
    assert shift.exceeds(0.54) and not shift.exceeds(0.55)


def test_a_shift_of_scores_has_a_distance():
    before = {-2.0: 10, -1.0: 10}
    shift = of_numbers("scores", before, {-2.0: 5, 0.0: 5}, least=1)
    assert shift.bins == ["below -1.50", "above -1.50"]
    assert shift.ks[0] == 0.5
    assert shift.psi == 0
    # Nearer than two digits tell.
    close = {0.0011: 1, 0.0012: 1, 0.0013: 1}
    shift = of_numbers("scores", close, close, least=1)
    assert shift.bins == [
        "below 0.0011",
        "0.0011 to 0.0012",
        "above 0.0012",
    ]


@pytest.mark.parametrize(
    ("times", "least", "verdict"),
    # By chance, 20 values stay below 0.86.
    [(1, 1, "no"), (1, 21, "too few"), (100, 1, "some")],
)
def test_few_requests_do_not_cry_wolf(times, least, verdict):
    before = dict.fromkeys(range(10), 100)
    counts = [4, 2, 2, 2, 2, 2, 2, 2, 1, 1]
    now = {place: count * times for place, count in enumerate(counts)}
    shift = of_numbers("x", before, now, least, whole=True)
    assert shift.psi == pytest.approx(0.2 * math.log(2))
    assert shift.verdict == verdict
    assert shift.exceeds(0.1) == (verdict == "some")


def test_groups_are_compared_by_rows():
    popularity = Popularity(np.array([1.0, 50, 1, 50, 98]))
    assert popularity.group_of.tolist() == [4, 2, 4, 3, 0]
    before, now = np.array([1, 1, 1, 1, 4]), np.array([0, 0, 0, 0, 8])
    shift = of_groups(
        "x", popularity.names, popularity.group_of, (before, 4), (now, 4), 1
    )
    assert shift.bins[0] == "1 item, 98 times"
    assert shift.before == [4, 1, 1, 2]
    assert shift.now == [8, 0, 0, 0]
    # Four rows are too few to tell.
    assert shift.by_chance > shift.psi > 0.25
    assert shift.verdict == "no"


def test_what_lists_hold_by_hand():
    lists = [[3, 1, 2], [3, 2], [3, 0]]
    answers = [Answer(np.array(items), (0.0,)) for items in lists]
    shown = count_shown(answers, 4, length=2)
    assert shown.tolist() == [1, 1, 3, 0]
    held = Shown.of(shown, np.array([10, 20, 40, 80]))
    assert held.coverage == 0.75
    # Of 0, 1, 1, 3: (-3·0 - 1 + 1 + 3·3) / (4·5).
    assert held.gini == pytest.approx(9 / 20)
    assert held.popularity == pytest.approx((10 + 20 + 120) / 5)


def test_a_share_is_much_when_its_interval_is():
    share = Share()
    share.add(np.ones(10), np.full(10, 10))
    assert Counted("x", share, 0.05, True).verdict == "ok"
    share.add(np.ones(990), np.full(990, 10))
    assert Counted("x", share, 0.05, True).verdict == "much"
    assert Counted("x", share, 0.05, False).verdict == "too few"
    assert not Counted("x", share, 0.05, False).exceeds(0.05)


def test_a_sample_is_uniform_and_bounded():
    kept = collections.Counter()
    rng = np.random.default_rng(0)
    for _ in range(2000):
        reservoir = Reservoir(3, rng)
        for thing in range(10):
            reservoir.add(thing)
        assert (len(reservoir.kept), reservoir.added) == (3, 10)
        kept.update(reservoir.kept)
    assert all(abs(kept[thing] - 600) < 100 for thing in range(10))


def test_frequent_names_stay_when_rare_ones_are_forgotten(monkeypatch):
    monkeypatch.setattr(samples, "_MOST_NAMES", 10)
    frequent = Frequent()
    frequent.add(["b", "a", "b"])
    assert frequent.complete
    for number in range(50):
        frequent.add(["b", "a", "c", str(number)])
    assert frequent.most_common(3) == [("b", 52), ("a", 51), ("c", 50)]
    assert len(frequent) <= 10
    assert not frequent.complete
