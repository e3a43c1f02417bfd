"""What every model promises to one that starts from its weights.

The vocabulary of the newer model is another one: in another order, with one
item gone and two new ones, and with one user gone and three new ones.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.contract import (
    NUM_ITEMS,
    NUM_USERS,
    base,
    learns,
    padded,
    settings,
)
from tfrec.batches import Query
from tfrec.errors import InputError
from tfrec.layers.rows import ITEMS, USERS, Match, declared_rows
from tfrec.models import get_model
from tfrec.models.base.inheritance import inherit, used

# Where the items, and the users, of the newer model stood in the older one.
ITEM_PLACES = np.array([4, 2, -1, 0, 7, 9, 1, 3, 10, -1, 5, 6, 8])
USER_PLACES = np.concatenate([np.arange(1, NUM_USERS)[::-1], [-1, -1, -1]])
MATCHES = {
    ITEMS: Match(ITEM_PLACES, NUM_ITEMS),
    USERS: Match(USER_PLACES, NUM_USERS),
}


class Weights:
    """The weights of a model, for another one of its kind."""

    def __init__(self, older, newer):
        pairs = zip(newer.variables, older.variables, strict=True)
        self._older = {id(new): old for new, old in pairs}

    def shape(self, variable):
        return list(self._older[id(variable)].shape)

    def left_over(self):
        return []

    def read(self, variable):
        return self._older[id(variable)].numpy()


def built(name, items, users, seed, **changes):
    keras.utils.set_random_seed(seed)
    return get_model(base(name))(items, settings(name, **changes), users)


@pytest.fixture(scope="module")
def pair(name):
    """A model with weights of its own, and one that has inherited them."""
    older = built(name, NUM_ITEMS, NUM_USERS, 0)
    rng = np.random.default_rng(0)
    for variable in older.inherited:
        # Biases too, which would start alike; near what they are, so that no
        # unit is out of its range.
        noise = rng.normal(0, 0.1, variable.shape)
        variable.assign(np.array(variable) + noise)
    if not learns(older):
        return older, None
    older.steps.assign(7)
    newer = built(name, len(ITEM_PLACES), len(USER_PLACES), 1)
    inherit(newer, Weights(older, newer), MATCHES)
    return older, newer


def test_a_model_that_counts_inherits_nothing(pair):
    older, newer = pair
    assert bool(older.inherited) == (newer is not None)
    # It is done in one pass over the data: that is done anew.
    assert older.one_pass == (newer is None)


def test_items_that_both_know_have_the_same_scores(pair):
    older, newer = pair
    if newer is None:
        pytest.skip("counts anew")
    rows = [[3, 1, 4, 1], [2, 7]]
    now = {place + 1: n + 1 for n, place in enumerate(ITEM_PLACES)}
    users = np.arange(2, 2 + len(rows))
    later = {place + 1: n + 1 for n, place in enumerate(USER_PLACES)}
    before = older.score(
        Query(tf.constant(padded(rows)), tf.constant(users, tf.int32))
    ).numpy()
    after = newer.score(
        Query(
            tf.constant(padded([[now[i] for i in row] for row in rows])),
            tf.constant([later[u] for u in users], tf.int32),
        )
    ).numpy()
    known = ITEM_PLACES >= 0
    before, after = before[:, ITEM_PLACES[known]], after[:, known]
    assert np.ptp(before, axis=1).min() > 1e-3
    # But for a number in each row: what others have of the probability.
    np.testing.assert_allclose(
        after - after[:, :1], before - before[:, :1], rtol=1e-4, atol=1e-4
    )


def test_what_is_new_starts_at_the_mean_of_what_is_known(pair):
    _, newer = pair
    if newer is None:
        pytest.skip("counts anew")
    tables = [v for v in newer.inherited if declared_rows(v)]
    assert tables
    assert newer.needs_user == (USERS in used(newer, MATCHES))
    for variable in tables:
        rows, values = declared_rows(variable), np.array(variable)
        new = MATCHES[rows.of].places < 0
        values = values[rows.before :][: len(new)]
        mean = np.broadcast_to(values[~new].mean(0), values[new].shape)
        np.testing.assert_allclose(values[new], mean, rtol=1e-5, atol=1e-6)


def test_annealing_goes_on(pair):
    _, newer = pair
    if newer is None:
        pytest.skip("counts anew")
    # Where epochs are counted, in whole ones, of one step before `adapt`.
    assert int(newer.steps) == 7


def test_other_sizes_are_refused_and_nothing_is_changed():
    older = built("fpmc", NUM_ITEMS, NUM_USERS, 0)
    newer = built(
        "fpmc", len(ITEM_PLACES), len(USER_PLACES), 1, embedding_dim=9
    )
    before = [np.array(v) for v in newer.variables]
    sizes = r"is \[13, 8\] there and \[13, 9\] here"
    with pytest.raises(InputError, match=sizes):
        inherit(newer, Weights(older, newer), MATCHES)
    for variable, value in zip(newer.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
