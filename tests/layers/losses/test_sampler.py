"""Tests of what draws items by their popularity."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrec.errors import InputError
from tfrec.layers.losses import PopularitySampler
from tfrec.layers.losses.sampler import draw_items

SIZE = 40


@pytest.mark.parametrize("draws", [3, 25])
def test_popular_items_are_drawn_as_often_as_is_said(draws):
    everything = tf.range(SIZE, dtype=tf.int64)
    seed = keras.random.SeedGenerator(1)
    draw = tf.function(lambda: draw_items(everything, draws, SIZE, seed))
    chances = np.exp(draw().target_log_chances)
    rounds = 600
    counts = np.zeros(SIZE)
    for _ in range(rounds):
        sample = draw()
        counted = sample.log_chances < 1.0
        chosen = sample.places[counted].numpy()
        assert len(set(chosen)) == len(chosen) <= draws
        assert set(chosen) == set(sample.places.numpy())
        np.testing.assert_allclose(
            np.exp(sample.log_chances[counted]), chances[chosen], rtol=1e-5
        )
        counts[chosen] += 1
    np.testing.assert_allclose(counts / rounds, chances, atol=0.07)
    # Place 0 spans 0.6 or 4.7 of the equal parts; the last a sixth, at most.
    assert (chances[0] == 1) == (draws == 25)
    assert 0.01 < chances[-1] < 0.2 < 0.5 < chances[0]


@pytest.mark.parametrize("draws", [3, 25])
@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_items_are_drawn_by_a_power_of_their_popularity(power, draws):
    made = PopularitySampler(SIZE, draws, power)
    # Some never came: they count as one that came once.
    counts = np.maximum(np.random.default_rng(0).permutation(SIZE) - 2, 0)
    made.order_by(tf.constant(counts, tf.float32))
    part = np.maximum(counts, 1) ** power
    part = part / part.sum()
    draw = tf.function(lambda: made.draw(tf.range(SIZE)))
    chances = np.exp(draw().target_log_chances)
    times, held, rounds = np.zeros(SIZE), np.zeros(SIZE), 600
    for _ in range(rounds):
        drawn = draw()
        np.add.at(times, drawn.columns.numpy(), 1)
        counted = drawn.counts.numpy()
        columns = drawn.columns.numpy()[counted]
        assert len(set(columns)) == len(columns)
        held[columns] += 1
        found = np.exp(drawn.log_chances.numpy()[counted])
        np.testing.assert_allclose(found, chances[columns], rtol=1e-5)
    np.testing.assert_allclose(times / rounds, draws * part, atol=0.1)
    np.testing.assert_allclose(held / rounds, chances, atol=0.07)


def test_without_counts_a_power_draws_evenly():
    made = PopularitySampler(SIZE, 4, 1.0)
    chances = np.exp(made.draw(tf.range(SIZE)).target_log_chances)
    np.testing.assert_allclose(chances, 4 / SIZE, rtol=1e-5)


def test_rare_items_of_a_large_catalogue_are_drawn():
    seed = keras.random.SeedGenerator(1)
    size = 10**7
    sample = draw_items(tf.constant([size - 1]), 2000, size, seed)
    chance = 2000 * np.log1p(1 / size) / np.log(size + 1)
    np.testing.assert_allclose(
        np.exp(sample.target_log_chances), [chance], rtol=1e-4
    )
    last = sample.places.numpy()[-50:]
    assert last.max() < size and len(set(last % 16)) > 8


def test_a_seed_gives_its_samples_again():
    def draw(seed):
        return draw_items(tf.constant([0]), 10, 1000, seed).places.numpy()

    one, two = (keras.random.SeedGenerator(5) for _ in range(2))
    first = draw(one)
    np.testing.assert_array_equal(first, draw(two))
    assert set(first) != set(draw(one))


def test_the_most_popular_items_come_first():
    made = PopularitySampler(4, 2)
    np.testing.assert_array_equal(made.order, [0, 1, 2, 3])
    made.order_by(tf.constant([1.0, 5.0, 0.0, 5.0]))
    np.testing.assert_array_equal(made.order, [1, 3, 0, 2])
    np.testing.assert_array_equal(made.places, [2, 0, 3, 1])


def test_columns_are_drawn_by_the_popularity_that_was_told():
    made = PopularitySampler(SIZE, 10)
    popularity = np.random.default_rng(0).permutation(SIZE)
    made.order_by(tf.constant(popularity, tf.float32))
    columns = made.draw(tf.range(SIZE))
    by_place = draw_items(
        tf.range(SIZE, dtype=tf.int64), 10, SIZE, keras.random.SeedGenerator()
    )
    # Item for item, the most popular one first.
    order = np.argsort(-popularity)
    chances = columns.target_log_chances.numpy()
    np.testing.assert_array_equal(chances[order], by_place.target_log_chances)
    counted = columns.counts.numpy()
    np.testing.assert_array_equal(
        columns.log_chances[counted], chances[columns.columns[counted]]
    )
    assert columns.columns.dtype == tf.int32
    # The most popular item spans a whole part: it is in every sample.
    assert popularity[columns.columns[0]] == SIZE - 1


def test_a_column_that_is_drawn_again_does_not_count():
    made = PopularitySampler(4, 3)
    seen = set()
    for _ in range(30):
        drawn = made.draw(tf.constant([0]))
        again = np.diff(drawn.columns) == 0
        np.testing.assert_array_equal(drawn.counts, [True, *~again])
        seen.add(bool(again.any()))
    assert seen == {True, False}


@pytest.mark.parametrize("draws", [SIZE, SIZE + 1])
def test_a_sample_must_be_smaller_than_the_catalogue(draws):
    with pytest.raises(InputError, match=rf"\({SIZE}\)\. Received: {draws}"):
        PopularitySampler(SIZE, draws)
