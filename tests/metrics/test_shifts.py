import math

import numpy as np
import pytest
from scipy import stats

from tfrec.metrics.shifts import (
    Share,
    bin_edges,
    binned,
    gini,
    ks,
    ks_by_chance,
    psi,
    psi_by_chance,
    quantiles,
)


def test_psi_by_hand():
    # (.6 - .3) ln 2 + (.4 - .7) ln(4/7)
    expected = 0.3 * math.log(2) + 0.3 * math.log(7 / 4)
    assert psi([30, 70], [6, 4]) == pytest.approx(expected)
    assert psi([6, 4], [30, 70]) == pytest.approx(expected)
    assert psi([3, 7, 5], [6, 14, 10]) == 0
    # An empty bin has half a value: (.05 - .5) ln .1 + (1 - .5) ln 2.
    expected = 0.45 * math.log(10) + 0.5 * math.log(2)
    assert psi([5, 5], [0, 10]) == pytest.approx(expected)


def test_psi_by_chance_is_what_samples_of_one_distribution_stay_below():
    rng = np.random.default_rng(0)
    shares = [0.1] * 10
    draws = zip(
        rng.multinomial(2000, shares, 4000),
        rng.multinomial(300, shares, 4000),
        strict=True,
    )
    bound = psi_by_chance(10, 2000, 300)
    assert np.mean([psi(*draw) < bound for draw in draws]) == pytest.approx(
        0.95, abs=0.015
    )
    assert psi_by_chance(10, math.inf, 20) == pytest.approx(
        stats.chi2.ppf(0.95, 9) / 20
    )
    assert psi_by_chance(1, 5, 5) == 0


def test_bins_have_as_many_values_each_and_no_value_lies_on_an_edge():
    values, ones = np.arange(100), np.ones(100)
    edges = bin_edges(values, ones)
    assert edges.tolist() == [9.5 + 10 * n for n in range(9)]
    assert binned(values, ones, edges).tolist() == [10] * 10
    # What many share is a bin; 3 is in that of its neighbour.
    values, counts = np.array([1, 2, 3]), np.array([50, 45, 5])
    edges = bin_edges(values, counts, 2)
    assert edges.tolist() == [1.5]
    assert binned(values + 1e-6, counts, edges).tolist() == [50, 50]
    # A single value is a bin of its own.
    edges = bin_edges(np.array([-2.0]), np.array([7]))
    now = np.array([-2.1, -2, -2.000001, -1.9])
    assert binned(now, np.array([1, 2, 3, 4]), edges).tolist() == [1, 5, 4]


def test_quantiles_of_counted_values_are_numpys():
    values, counts = np.array([1, 4, 7, 9]), np.array([3, 1, 5, 1])
    shares = [0, 0.05, 0.3, 0.31, 0.4, 0.9, 0.91, 1]
    expected = np.quantile(
        np.repeat(values, counts), shares, method="inverted_cdf"
    )
    assert quantiles(values, counts, shares) == expected.tolist()


def test_ks_is_scipys():
    rng = np.random.default_rng(0)
    before, now = rng.normal(size=70), rng.integers(-1, 2, 40)
    found = stats.ks_2samp(before, now)
    assert ks(before, now) == pytest.approx(found.statistic)
    assert ks([1, 2], [3]) == 1
    assert ks_by_chance(100, 100) == pytest.approx(1.358 * 0.02**0.5, abs=1e-4)


def test_gini_by_hand():
    assert gini([2, 2, 2]) == pytest.approx(0)
    assert gini([0, 0, 0, 8]) == pytest.approx(0.75)
    # Half of the mean difference over the mean: (0+1+2)·2 / 9 / 2 / 1.
    assert gini([0, 1, 2]) == pytest.approx(4 / 9)


def test_an_interval_of_a_share_is_over_rows():
    one = Share()
    one.add(np.array([1] * 10 + [0] * 90), np.ones(100))
    wilson = stats.binomtest(10, 100).proportion_ci(method="wilson")
    assert one.value == pytest.approx(0.1)
    assert one.interval() == pytest.approx([*wilson], abs=2e-3)
    # The same of rows that have five equal things each: no surer than before.
    five = Share()
    five.add(np.array([5] * 10 + [0] * 90), np.full(100, 5))
    assert five.value == pytest.approx(0.1)
    assert five.interval() == pytest.approx(one.interval())
    # In parts.
    parts = Share()
    for part in np.split(np.array([1] * 10 + [0] * 90), 4):
        parts.add(part, np.ones(25))
    assert parts.interval() == pytest.approx(one.interval())
    none = Share()
    none.add(np.zeros(400), np.full(400, 2))
    assert none.interval()[0] == pytest.approx(0)
    assert none.interval()[1] == pytest.approx(3.84 / 404, abs=1e-4)
    assert Share().interval() == (0, 1)
