"""What every model promises of its scores."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.models.contract import (
    HISTORIES,
    MAX_LENGTH,
    NUM_ITEMS,
    base,
    has,
    make,
    padded,
    predicts_prefixes,
    query,
    silence,
    training_batch,
)
from tfrec.batches import Query
from tfrec.models import get_entry
from tfrec.models.base.items import EXCLUDED


@pytest.fixture
def model(fitted):
    return fitted.model


@pytest.fixture
def scores(model):
    return model.score(query()).numpy()


def assert_near(one, two):
    np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-5)


def test_scores_are_the_logarithms_of_a_distribution(scores):
    assert scores.shape == (len(HISTORIES), NUM_ITEMS)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    # Pop takes a sliver of probability from each of equals.
    np.testing.assert_allclose(np.exp(scores).sum(1), 1.0, rtol=1e-4)


def test_padding_beyond_the_end_changes_nothing(model, scores):
    assert_near(model.score(query(extra=4)), scores)


def test_a_row_is_answered_in_a_batch_as_alone(model, scores):
    for row, history in enumerate(HISTORIES):
        alone = model.score(query([history], first_user=row + 1))
        assert_near(alone[0], scores[row])


def test_only_the_newest_items_are_read(model):
    newest = HISTORIES[0]
    assert len(newest) == MAX_LENGTH == model.config.max_length
    long = model.score(query([[7, 7, *newest], [10, *newest]]))
    short = model.score(query([newest, newest]))
    assert_near(long, short)


def test_an_empty_history_is_answered(model):
    found = model.score(query([[], []]))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(np.exp(found).sum(1), 1.0, rtol=1e-4)
    # Among others it is a row of padding.
    assert_near(model.score(query([[], [1, 2]]))[0], found[0])


def test_an_empty_batch_has_no_rows(model):
    empty = Query(tf.zeros([0, 3], tf.int32), tf.zeros([0], tf.int32))
    assert model.score(empty).shape == (0, NUM_ITEMS)


def test_who_asks_counts_where_the_model_says_so(model, scores):
    others = model.score(query(first_user=2)).numpy()
    assert np.allclose(others, scores, atol=1e-5) != model.needs_user
    unknown = model.score(Query.of(query().history))
    assert np.isfinite(unknown).all()


def test_blocks_of_items_are_ranked_as_all_are(model, scores):
    block = model.block_scores(query())
    whole = block(0, NUM_ITEMS).numpy()
    for width in (5, 7):
        parts = [
            block(start, min(start + width, NUM_ITEMS))
            for start in range(0, NUM_ITEMS, width)
        ]
        np.testing.assert_array_equal(np.concatenate(parts, 1), whole)
    # The same differences, so the same ranks but for rounding.
    assert_near(whole - whole[:, :1], scores - scores[:, :1])


@pytest.mark.each_kind
def test_recommend_gives_the_best_of_the_others(model, scores):
    user = query().user.numpy()
    items, found = model.recommend(HISTORIES, 3, user=user)
    for row, history in enumerate(HISTORIES):
        assert not set(items[row]) & set(history)
        others = np.delete(scores[row], np.unique(history) - 1)
        assert_near(found[row], np.sort(others)[:-4:-1])
        assert_near(scores[row][items[row] - 1], found[row])


@pytest.mark.each_kind
def test_recommend_may_give_items_of_the_history(model, scores):
    _, found = model.recommend(
        HISTORIES, NUM_ITEMS, exclude_history=False, user=query().user.numpy()
    )
    assert_near(found, -np.sort(-scores))


@pytest.mark.parametrize("item", [NUM_ITEMS + 1, -1])
def test_an_item_out_of_range_is_refused_by_its_number(model, item):
    with pytest.raises(
        ValueError, match=rf"to {NUM_ITEMS}\. Received: {item}\."
    ):
        model.recommend([[1, item]], 2)


def test_the_history_is_left_out_where_that_is_asked_for(name, model):
    assert not model.leaves_out_history
    fields = dataclasses.fields(get_entry(base(name)).config_class)
    if "exclude_history" not in {field.name for field in fields}:
        pytest.skip("the model has no such setting")
    other = make(name, exclude_history=True)
    assert other.leaves_out_history
    scores = other.score(query()).numpy()
    read = np.zeros([len(HISTORIES), NUM_ITEMS], bool)
    for row, history in enumerate(HISTORIES):
        read[row, np.array(history) - 1] = True
    np.testing.assert_array_equal(scores == EXCLUDED, read)
    np.testing.assert_allclose(np.exp(scores).sum(1), 1.0, rtol=1e-4)


def test_the_latent_decodes_to_the_scores(model, scores):
    latent = model.latent()
    if latent is None:
        pytest.skip("the model has no latent")
    asked = query()
    encoded = latent.encode(asked)
    assert encoded.shape[0] == len(HISTORIES)
    assert_near(latent.decode(encoded, asked), scores)
    assert_near(latent.encode(query(extra=4)), encoded)


def test_a_draw_depends_on_its_row_and_seed_alone(model):
    latent = model.latent()
    if latent is None:
        pytest.skip("the model has no latent")
    rows = [HISTORIES[0], HISTORIES[0], HISTORIES[2]]
    seeds = tf.constant([[1, 2], [3, 4], [5, 6]], tf.int64)
    asked = Query(tf.constant(padded(rows)), tf.constant([1, 1, 3]))
    drawn = latent.sample(asked, seeds).numpy()
    assert drawn.shape == latent.encode(asked).shape
    assert np.abs(drawn[0] - drawn[1]).max() > 1e-6
    last = Query(tf.constant(padded(rows[2:])), asked.user[2:])
    assert_near(latent.sample(last, seeds[2:])[0], drawn[2])


def test_posterior_draws_surround_their_centres(model):
    latent = model.latent()
    if latent is None:
        pytest.skip("the model has no latent")
    draws, centres = latent.posterior_draws(query(), [1, 2])
    assert draws.shape == centres.shape
    assert draws.shape[0] >= len(HISTORIES)
    assert np.abs(draws - centres).max() > 1e-6
    again, _ = latent.posterior_draws(query(), [1, 2])
    np.testing.assert_array_equal(again, draws)


def test_every_item_has_a_vector_where_items_have_any(model):
    for vectors in model.item_vectors().values():
        assert vectors.shape[0] == NUM_ITEMS
        assert np.isfinite(vectors).all()


def test_later_items_do_not_change_a_state(model):
    if not predicts_prefixes(model):
        pytest.skip("the model predicts no prefixes")
    history = np.int32(HISTORIES[:1])
    later = history.copy()
    later[:, 5:] = later[:, 5:] % NUM_ITEMS + 1
    user = tf.constant([1])
    before = model.states(Query(tf.constant(history), user))
    after = model.states(Query(tf.constant(later), user))
    np.testing.assert_array_equal(before[:, :5], after[:, :5])
    assert np.abs(before - after)[:, 5:].max() > 1e-6


def test_training_predicts_each_item_as_scoring_would(name, monkeypatch):
    """Each term of the loss depends on the items before it alone."""
    silence(monkeypatch)
    # What a score is of: the probability of the next item alone.
    wanted = {"target_window": 1, "loss": "softmax"}
    wanted = {field: wanted[field] for field in wanted if has(name, field)}
    model = make(name, still=True, **wanted)
    if not predicts_prefixes(model):
        pytest.skip("the model predicts no prefixes")
    if getattr(model, "recognition", None):
        pytest.skip("training draws from what knows the next item")
    batch = training_batch()
    terms = model.objective(batch)
    expected = 0.0
    for items, weight, user, _ in zip(*batch, strict=True):
        row = items[items > 0].numpy().tolist()
        if len(row) < 2:
            continue
        prefixes = padded([row[:n] for n in range(1, len(row))])
        users = tf.fill([len(prefixes)], user)
        found = model.score(Query(tf.constant(prefixes), users)).numpy()
        each = found[np.arange(len(found)), np.array(row[1:]) - 1]
        expected -= weight * each.sum()
    found = terms.get("reconstruction", terms["loss"])
    np.testing.assert_allclose(found, expected, rtol=1e-5)
