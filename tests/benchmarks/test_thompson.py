"""Simulated listeners click, walk on and are shown nothing twice."""

import types

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.thompson import (
    Listeners,
    ThompsonConfig,
    chances,
    mean_and_margin,
    policies,
    simulate,
)
from tfrec.data.config import DataConfig
from tfrec.data.sources.synthetic import build_world
from tfrec.errors import InputError
from tfrec.models import SVAE, Pop, SVAEConfig

_WORLD = build_world(
    DataConfig(
        dataset="synthetic",
        synthetic_items=200,
        synthetic_length=9,
        synthetic_clusters=2,
    )
)
_ITEMS = len(_WORLD.titles)
_CONFIG = ThompsonConfig(
    run_dirs=("run",), rounds=24, streams=6, stay=8, next_items=4
)
_LISTENERS = Listeners(_WORLD, _CONFIG)


@pytest.fixture
def eagerly():
    """Traces nothing: each policy is asked once or twice."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def known(history, cluster, place):
    """Scores of who knows what the listeners like."""
    return _LISTENERS.chances[cluster, place]


def run_of(model):
    """Returns as much of a run as policies ask for."""
    return types.SimpleNamespace(
        model=model,
        folder="run",
        config=types.SimpleNamespace(model="pop"),
        # As a training log that never had the first item.
        data=types.SimpleNamespace(
            vocabulary=types.SimpleNamespace(items=_WORLD.items[:0:-1])
        ),
    )


def test_clicks_are_as_likely_as_walks_take_the_item():
    rng = np.random.default_rng(0)
    lengths = np.full(20_000, 5)
    walks, clusters = _WORLD.sample(lengths, 5, rng)
    found = chances(_WORLD, next_items=4)
    # T items are taken from each place, whatever they are.
    np.testing.assert_allclose(found.sum(2), 4.0, atol=1e-4)
    place = 7
    for cluster, ring in enumerate(_WORLD.rings):
        there = (clusters == cluster) & (walks[:, 0] == ring[place])
        taken = np.bincount(walks[there, 1:].ravel(), minlength=_ITEMS)
        share = taken / there.sum()
        assert np.abs(share - found[cluster, place]).max() < 0.15


@pytest.mark.parametrize("show_again", [False, True])
def test_a_click_is_in_the_history_and_moves_the_listener(show_again):
    config = ThompsonConfig(
        **{**_CONFIG.to_dict(), "show_again": show_again, "stay": 24}
    )
    seen = []

    def policy(history, cluster, place):
        seen.append((history.copy(), cluster, place.copy()))
        return known(history, cluster, place)

    clicks = simulate(_WORLD, _LISTENERS, config, policy)
    history, cluster, place = seen[-1]
    assert clicks.min() > 0
    # The last round is not in what the policy saw last.
    lengths = (history >= 0).sum(1) - 1
    assert ((clicks == lengths) | (clicks == lengths + 1)).all()
    newest = history[np.arange(6), lengths]
    np.testing.assert_array_equal(_WORLD.rings[cluster, place], newest)
    for row in history:
        assert len({*row[row >= 0]}) == (row >= 0).sum()


def test_what_was_shown_is_shown_again_only_if_asked():
    def stubborn(history, cluster, place):
        # Best is an item that nobody likes: on no ring.
        scores = np.zeros((6, _ITEMS))
        scores[:, nobody] = 1.0
        return scores - 1e-3 * np.arange(_ITEMS)

    (nobody,) = np.setdiff1d(np.arange(_ITEMS), _WORLD.rings)[:1]
    again = ThompsonConfig(**{**_CONFIG.to_dict(), "show_again": True})
    assert simulate(_WORLD, _LISTENERS, again, stubborn).sum() == 0
    assert simulate(_WORLD, _LISTENERS, _CONFIG, stubborn).sum() > 0


@pytest.mark.usefixtures("eagerly")
def test_policies_differ_in_what_they_explore():
    model = SVAE(
        _ITEMS - 1, SVAEConfig(embedding_dim=8, gru_units=8, latent_dim=4)
    )
    found = policies(run_of(model), _WORLD, _LISTENERS, _CONFIG)
    history = np.full((6, 9), -1)
    # Item 0 is none of the vocabulary's: the history is the other.
    history[:, :2] = 0, 5
    given = history, _LISTENERS.clusters[:, 0], _LISTENERS.places[:, 0]
    greedy = found["greedy"](*given)
    alone = np.where(np.arange(9) == 0, 5, -1) + np.zeros((6, 1), int)
    np.testing.assert_allclose(
        greedy, found["greedy"](alone, *given[1:]), rtol=1e-5
    )
    assert np.isneginf(greedy[:, 0]).all()
    # Rows are alike until something is drawn.
    assert (greedy == greedy[0]).all()
    for name in ("thompson", "draw"):
        scores = found[name](*given)
        assert not np.allclose(scores[0, 1:], scores[1, 1:])
    rare = policies(
        run_of(model),
        _WORLD,
        _LISTENERS,
        ThompsonConfig(run_dirs=("run",), epsilons=(0.0, 1.0)),
    )
    np.testing.assert_array_equal(rare["epsilon 0"](*given), greedy)
    assert (rare["epsilon 1"](*given) > greedy)[:, 1:].all()
    np.testing.assert_array_equal(
        found["the cluster known"](*given), known(*given)
    )


def test_a_model_without_a_latent_is_refused():
    with pytest.raises(InputError, match=r"--run_dirs.*latent.*pop"):
        policies(run_of(Pop(_ITEMS - 1)), _WORLD, _LISTENERS, _CONFIG)


def test_the_margin_is_that_of_students_t():
    mean, margin = mean_and_margin([1.0, 2.0, 3.0])
    # 4.303 is the table's value for two degrees of freedom.
    assert (mean, round(margin, 3)) == (2.0, round(4.3027 / 3**0.5, 3))
