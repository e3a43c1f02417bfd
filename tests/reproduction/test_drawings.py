"""The figures that are computed: densities, encodings, lengths."""

import builtins
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from tests.prepared import prepare_sequences
from tfrec.errors import InputError
from tfrec.metrics.ranking import NEVER
from tfrec.metrics.ranks import Ranks
from tfrec.models import get_model
from tfrec.reproduction import densities, encodings
from tfrec.reproduction.drawings import (
    by_length,
    clicks_before,
    draw,
    session_lengths,
)
from tfrec.reproduction.plan import Drawn, Row
from tfrec.training import TrainingConfig
from tfrec.training.run import Run


@pytest.fixture(scope="module")
def fitted():
    return densities.fit(steps=150)


def test_the_critic_tells_apart_what_the_kl_term_cannot(fitted):
    means = {
        independent: densities.means(64, [1, 2], independent)
        for independent in (True, False)
    }
    terms = np.concatenate([densities.kl_term(m) for m in means.values()])
    np.testing.assert_allclose(terms, fitted.kl, rtol=1e-6)
    # The best critic has 0.75 and a little more; 0.5 is chance.
    assert 0.68 < fitted.separated < 0.85


def test_the_draws_are_those_of_the_paper(fitted):
    def correlation(points):
        return np.corrcoef(np.asarray(points), rowvar=False)[0, 1]

    assert abs(correlation(fitted.real)) < 0.15
    # 1 / (1 + sigma^2)
    assert correlation(fitted.fake) == pytest.approx(1 / 1.16, abs=0.05)


def test_the_kl_term_is_that_of_tensorflow_probability():
    """By integration: E_q[log q - log p] over many draws."""
    mean = tf.constant([[1.0, -1.0]])
    noise = tf.random.stateless_normal([200_000, 2], [0, 1])
    draws = mean + densities.SIGMA * noise
    log_q = -0.5 * noise**2 - np.log(densities.SIGMA)
    each = tf.reduce_sum(log_q + 0.5 * draws**2, -1)
    expected = float(tf.reduce_mean(each))
    assert float(densities.kl_term(mean)[0]) == pytest.approx(
        expected, abs=0.02
    )


@pytest.fixture
def ranks():
    """Sessions of 2, 4 and 12 clicks."""
    records = np.repeat([0, 1, 2], [1, 3, 11]).astype(np.int32)
    targets = np.full([15, 1], NEVER, np.int32)
    targets[:4, 0] = [1, 20, 21, 4]
    return Ranks(targets, records, np.zeros(3, np.int64))


def test_lengths_of_sessions_and_of_histories(ranks):
    assert session_lengths(ranks).tolist() == [2] + [4] * 3 + [12] * 11
    assert clicks_before(ranks).tolist() == [1, 1, 2, 3, *range(1, 12)]


def test_metrics_by_length(ranks):
    groups = by_length(ranks, session_lengths(ranks))
    assert [group[:2] for group in groups] == [
        ("2", 1),
        ("4", 3),
        ("12-16", 11),
    ]
    assert groups[0][2:] == (1.0, 1.0)
    assert groups[1][2] == pytest.approx(2 / 3)
    assert groups[1][3] == pytest.approx((1 / 20 + 1 / 4) / 3)
    assert groups[2][2:] == (0.0, 0.0)


@pytest.mark.parametrize("name", ["narm", "vaser"])
def test_an_encoding_is_of_the_session_without_its_last_click(
    name, tmp_path, monkeypatch
):
    sessions = [[1, 2, 3, 4], [2, 1], [3, 3, 1], [4, 1, 2, 3, 1]]
    data = prepare_sequences(
        tmp_path,
        train=[[1, 2, 3, 4], [2, 1]],
        validation=[([1, 2], [])],
        test=[(session, []) for session in sessions],
        protocol="next_click",
        shards=1,
    )
    kind = get_model(name)
    model = kind(
        data.num_items, kind.config_class(embedding_dim=4, gru_units=3)
    )
    run = Run(tmp_path, model, data, TrainingConfig(evaluation_batch_size=3))
    monkeypatch.setattr(encodings, "load_run", lambda folder: run)
    found = encodings.encodings(tmp_path)
    assert found.shape[0] == len(sessions)
    assert encodings.encodings(tmp_path, sessions=2).shape[0] == 2
    if name == "vaser":
        # A draw: the attention vector alone is the same each time.
        found, drawn = np.split(found, [-3], axis=1)[::-1]
        assert drawn.shape[1] == model.posterior.drawn_dim
    for row, session in zip(found, sessions, strict=True):
        states = model.states(
            model.read_newest(_query(session[:-1])), training=False
        )
        expected = states[0, len(session) - 2].numpy()
        expected = expected[-3:] if name == "vaser" else expected
        np.testing.assert_allclose(row, expected, atol=1e-5)


def _query(history):
    from tfrec.batches import as_query

    return as_query(tf.constant([history], tf.int32))


def test_points_fill_as_many_dimensions_as_they_vary_in():
    rng = np.random.default_rng(0)
    points = rng.normal(size=[5000, 6])
    assert encodings.spread(points) == pytest.approx(6, abs=0.1)
    points[:, 2:] = 0.0
    assert encodings.spread(points) == pytest.approx(2, abs=0.05)
    assert encodings.spread(points[:, :1] * [1, 2, 3]) == pytest.approx(1)


def test_t_sne_keeps_clusters_apart():
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(0)
    points = np.concatenate(
        [rng.normal(size=[20, 5]), rng.normal(size=[20, 5]) + 50]
    )
    plane = encodings.in_plane(points)
    distances = np.linalg.norm(plane[:, None] - plane[None], axis=-1)
    assert distances[:20, :20].mean() < distances[:20, 20:].mean() / 2


def test_without_scikit_learn_there_is_a_remedy(monkeypatch):
    real = builtins.__import__

    def absent(name, *rest):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(InputError, match="pip install scikit-learn"):
        encodings.in_plane(np.zeros([4, 2]))


def test_each_model_is_drawn_and_one_that_was_not_run_is_named(monkeypatch):
    rows = (Row("narm", "NARM"), Row("vaser", "VASER"))
    part = Drawn("figure2", "F", "P", "encodings", rows, "clicks")
    narm = rows[0].job("clicks", "ours")

    class Finished:
        """Stands for measurements of which NARM's run is finished."""

        def runs(self, job):
            folder = SimpleNamespace(folder="there")
            return [folder] if job == narm else []

    points = np.random.default_rng(0).normal(size=[9, 4])
    monkeypatch.setattr(encodings, "encodings", lambda folder: points)
    monkeypatch.setattr(encodings, "in_plane", lambda points: points[:, :2])
    absent, words, picture = draw(part, Finished())
    assert absent == "Not run: VASER."
    assert words.startswith("NARM: 9 sessions in 4 dimensions, of which they ")
    assert picture.count("<circle") == len(points)

    def fail(points):
        raise InputError("no t-SNE here")

    monkeypatch.setattr(encodings, "in_plane", fail)
    assert draw(part, Finished())[-1] == "Not drawn: no t-SNE here"
