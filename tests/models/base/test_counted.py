"""Tests of what counted models make of the weights of sequences."""

import numpy as np
import pytest

from tests.counts import NUM_ITEMS, SESSIONS, batches, counted
from tfrec.batches import Query
from tfrec.models import EASE, SLIST, Transitions

QUERY = Query.of([[1, 2, 3], [5, 1, 0], [8, 0, 0]])


@pytest.mark.parametrize("model_class", [EASE, SLIST, Transitions])
def test_a_sequence_of_weight_two_is_one_that_comes_twice(model_class):
    assert model_class.weighs
    twice = counted(model_class, [*SESSIONS, *SESSIONS[:2]]).score(QUERY)
    model = model_class(NUM_ITEMS)
    model.adapt(batches(recency=[2.0, 2.0] + [1.0] * (len(SESSIONS) - 2)))
    # The popularity, which orders what was not found, counts sequences.
    best = np.argsort(twice)[:, -2:]
    np.testing.assert_allclose(
        np.take_along_axis(model.score(QUERY).numpy(), best, 1),
        np.take_along_axis(twice.numpy(), best, 1),
        rtol=1e-4,
    )
    once = counted(model_class).score(QUERY)
    assert np.abs(once - twice).max() > 1e-3
