"""Tests of SLIST against the rows of its paper's matrices, one by one."""

import numpy as np
import pytest
import tensorflow as tf

from tests.counts import NUM_ITEMS, SESSIONS, counted
from tests.regression import constrained
from tfrec.batches import Query
from tfrec.errors import InputError
from tfrec.models import EASE, SLIST, SLISTConfig
from tfrec.models.base import least_squares

PLAIN = {
    "whole_share": 0.0,
    "history_decay": 0.9,
    "target_decay": 0.8,
    "score_decay": 0.7,
    "normalize_inputs": False,
    "l2_weight": 1.5,
}


def rows(settings, sessions=SESSIONS):
    """Returns what explains and what is explained, `[rows, items]` both."""
    c = SLISTConfig(**settings)
    inputs, targets = [], []

    def add(share, x, y):
        if c.normalize_inputs:
            x = x / x.sum()
        inputs.append(np.sqrt(share) * x)
        targets.append(np.sqrt(share) * y)

    for session in sessions:
        whole = np.zeros(NUM_ITEMS)
        whole[np.array(session) - 1] = 1
        add(c.whole_share, whole, whole)
        for t in range(1, len(session)):
            past, future = np.zeros([2, NUM_ITEMS])
            for distance, item in enumerate(session[:t][::-1]):
                past[item - 1] += c.history_decay**distance
            for distance, item in enumerate(session[t:][: c.target_window]):
                future[item - 1] += c.target_decay**distance
            add(1 - c.whole_share, past, future)
    return np.stack(inputs), np.stack(targets)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"target_window": 2},
        {"target_window": 1, "history_decay": 1.0, "target_decay": 1.0},
        {"history_decay": 0.0},
        {"normalize_inputs": True},
        {"normalize_inputs": True, "target_window": 2, "history_decay": 0.5},
        {"whole_share": 0.3, "normalize_inputs": True},
        {"whole_share": 0.3, "diagonal_bound": 0.1},
    ],
    ids=str,
)
def test_weights_solve_the_least_squares_of_the_paper(changes, monkeypatch):
    monkeypatch.setattr(least_squares, "_BLOCK", 4)
    settings = PLAIN | changes
    found = np.array(counted(SLIST, **settings).weights_between)
    bound = settings.get("diagonal_bound", 10.0)
    expected = constrained(*rows(settings), settings["l2_weight"], bound)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    assert found.diagonal().max() <= bound + 1e-6


def test_whole_sessions_without_their_diagonal_are_ease():
    settings = {"l2_weight": 2.0}
    model = counted(
        SLIST,
        whole_share=1.0,
        diagonal_bound=0.0,
        normalize_inputs=False,
        **settings,
    )
    np.testing.assert_allclose(
        model.weights_between,
        counted(EASE, **settings).weights_between,
        atol=1e-7,
    )


def test_scores_weigh_the_history_by_its_decay():
    model = counted(SLIST, **PLAIN)
    b = np.array(model.weights_between)
    expected = tf.nn.log_softmax(
        [0.49 * b[1 - 1] + 0.7 * b[3 - 1] + b[1 - 1], b[8 - 1]]
    )
    found = model.score(Query.of([[1, 3, 1, 0], [8, 0, 0, 0]]))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_it_learns_what_comes_next():
    starts = np.arange(48) % NUM_ITEMS
    chains = (starts[:, None] + np.arange(6)) % NUM_ITEMS + 1
    model = counted(SLIST, chains.tolist())
    items, _ = model.recommend([[2, 3], [7, 8, 9]], k=2)
    assert items.tolist() == [[4, 5], [1, 2]]


def test_settings_of_slit_mean_nothing_without_it():
    with pytest.raises(InputError, match="`--target_window` means nothing"):
        SLISTConfig(whole_share=1.0, target_window=3)


def test_its_two_matrices_are_counted_in_the_refusal():
    with pytest.raises(InputError, match=r"in 18\.0 GB"):
        SLIST(30_000)
