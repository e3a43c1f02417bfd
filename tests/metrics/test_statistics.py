"""Tests of intervals and of differences between models."""

import numpy as np
import pytest
from scipy import stats

from tfrec.metrics.statistics import Totals, difference, holm, interval


def totals(values):
    return Totals(np.array(values, float), np.ones(len(values)))


def test_examples_are_summed_for_each_user():
    found = Totals.of(np.array([1.0, 0.5, np.nan, 2.0]), np.array([0, 0, 1, 3]))
    # Users 1 and 2 have no example that counts.
    assert found.sums.tolist() == [1.5, 2.0]
    assert found.counts.tolist() == [2.0, 1.0]
    assert found.mean == pytest.approx(3.5 / 3)


def test_an_interval_is_that_of_the_normal_distribution_for_many_users():
    values = np.random.default_rng(0).normal(0.3, 0.4, 3000)
    low, high = interval(totals(values))
    error = values.std(ddof=1) / np.sqrt(len(values))
    middle = values.mean()
    assert low == pytest.approx(middle - 1.96 * error, abs=0.2 * error)
    assert high == pytest.approx(middle + 1.96 * error, abs=0.2 * error)


def test_users_are_drawn_with_all_their_examples():
    values = np.random.default_rng(0).normal(0.3, 0.4, 400)
    low, high = interval(totals(values))
    # Ten equal examples of each user say no more than one.
    again = Totals(10 * values, np.full(400, 10.0))
    assert interval(again) == pytest.approx((low, high))


def test_the_interval_of_one_user_is_its_value():
    assert interval(totals([0.25])) == (0.25, 0.25)


def test_a_difference_is_tested_in_pairs():
    rng = np.random.default_rng(0)
    one = rng.random(200)
    other = one + rng.normal(0.02, 0.05, 200)
    found = difference(totals(one), totals(other))
    assert found == pytest.approx(stats.ttest_rel(one, other).pvalue)
    # Users differ from each other more than the models do.
    assert found < 1e-3 < stats.ttest_ind(one, other).pvalue


def test_what_is_alike_does_not_differ():
    assert difference(totals([1, 2]), totals([1, 2])) == 1.0
    assert difference(totals([1]), totals([2])) == 1.0
    assert difference(totals([1, 2]), totals([2, 3])) == 0.0


def test_p_values_are_corrected_for_their_number():
    # The smallest three times, the next twice; none below one before it.
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
