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
    weighed, twice, once = (
        np.take_along_axis(scores.numpy(), best, 1)
        for scores in (
            model.score(QUERY),
            twice,
            counted(model_class).score(QUERY),
        )
    )
    np.testing.assert_allclose(weighed, twice, rtol=1e-5)
    assert np.abs(once / twice - 1).max() > 1e-3
