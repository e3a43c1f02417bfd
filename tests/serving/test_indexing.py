import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.serving.runs import make_run, prepared
from tests.serving.test_verification import Disturbed
from tfrec.errors import InputError
from tfrec.models.base.items import EXCLUDED
from tfrec.serving.exporting import describe, export, popular_scores
from tfrec.serving.indexing import (
    choose_probes,
    exact_lists,
    found_recall,
    index_of,
    inputs_of,
    make_index,
    read_report,
)
from tfrec.serving.partitions import Partitions
from tfrec.serving.servable import Servable
from tfrec.serving.verification import DisagreementError, verify

# Five items in three partitions, whose centres lie on a line.
PARTITIONS = Partitions(
    np.int32([4, 0, 1, 2, 3]),
    np.int32([0, 1, 3, 5]),
    np.float32([[3.0], [2.0], [1.0]]),
)
# Nearest first: the first sees the partitions so, the second the other way.
STATES = np.float32([[1.0], [-1.0]])


@pytest.mark.parametrize(
    ("columns", "least", "expected"),
    [
        ([[4, 0], [3, 2]], 1.0, (2, 1.0, (3 + 4) / 10)),
        ([[4, 0], [3, 2]], 0.75, (1, 0.75, (1 + 2) / 10)),
        ([[4, 0], [3, 2]], 0.76, (2, 1.0, (3 + 4) / 10)),
        ([[3, -1], [3, -1]], 0.5, (1, 0.5, (1 + 2) / 10)),
        ([[3, -1], [3, -1]], 0.51, (3, 1.0, 1.0)),
        ([[-1, -1], [-1, -1]], 1.0, (1, 1.0, (1 + 2) / 10)),
    ],
)
def test_as_many_partitions_are_probed_as_the_recall_needs(
    columns, least, expected
):
    found = choose_probes(PARTITIONS, STATES, np.array(columns), least)
    assert found == pytest.approx(expected)


def test_what_is_found_is_counted_by_scores():
    best = np.float32([[3, 2, 2], [1, EXCLUDED, EXCLUDED]])
    # Another item of the score 2 is as good.
    assert found_recall(best, best) == 1.0
    near = np.float32([[2, 2, 1], [1, EXCLUDED, EXCLUDED]])
    assert found_recall(near, best) == 0.75


@pytest.fixture(scope="module")
def made():
    """Clustered vectors, states near them, and their index."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=[40, 8])
    vectors = centres[rng.integers(40, size=2000)]
    vectors = vectors + 0.3 * rng.normal(size=vectors.shape)
    states = vectors[rng.integers(2000, size=600)]
    states = states + 0.3 * rng.normal(size=states.shape)
    vectors, states = vectors.astype(np.float32), states.astype(np.float32)
    asked, fresh = states[200:400], states[400:430]
    left_out = rng.integers(1, 2001, [200, 9])
    index, report, _ = index_of(vectors, states[:200], asked, left_out, 5, 0.9)
    return vectors, asked, fresh, left_out.astype(np.int32), index, report


def test_the_recall_is_kept_and_measured(made):
    vectors, asked, fresh, left_out, index, report = made
    assert 0.9 <= report.recall < 1.0
    assert report.share < 0.5
    search = tf.function(index.search, autograph=False)
    for states, least in ((asked, report.recall), (fresh, 0.8)):
        out = tf.constant(left_out[: len(states)])
        _, best = exact_lists(vectors, states, out.numpy(), 5)
        found = search(tf.constant(states), out, 5)
        recall = found_recall(found.scores.numpy(), best)
        assert recall >= least - 1e-6
        items = found.columns.numpy() + 1
        assert not (items[:, :, None] == out.numpy()[:, None]).any()
    assert report.histories == 200


def test_what_is_found_is_said(made):
    report = made[-1]
    assert str(report) == (
        f"Index: {report.partitions} partitions, {report.probes} probed. "
        f"Recall@5 of the exact list is {report.recall:.4f} (asked for: 0.9), "
        f"and {report.share:.2%} of the items are scored, over 200 histories."
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("gru4rec", {"memory": "learned"}),
        ("vaser", {"posterior_samples": 2}),
    ],
)
def test_scores_that_are_no_products_are_refused(name, changes, data, tmp_path):
    run = make_run(name, data, **changes)
    with pytest.raises(InputError, match=rf"=partitioned` needs.*: {name} \("):
        export(run, tmp_path, index_recall=0.9)
    assert not list(tmp_path.iterdir())


def test_products_rank_as_scores_do(data):
    model = make_run("gru4rec", data, cosine_scale=8.0).model
    query = next(iter(data.evaluation("test"))).query
    products = model.products()
    scores = products.states(query) @ products.vectors().numpy().T
    own = model.score(query).numpy()
    apart = own - scores
    np.testing.assert_allclose(apart - apart[:, :1], 0.0, atol=1e-4)


@pytest.fixture(scope="module")
def exported(data, tmp_path_factory):
    """A run of CFGAN, which is traced fast, its index and its export."""
    run = make_run("cfgan", data)
    version = export(run, tmp_path_factory.mktemp("m"), k=3, index_recall=0.5)
    return run, version


@pytest.fixture(scope="module")
def servable(exported):
    servable = Servable("cfgan", 1, exported[1])
    yield servable
    servable.close()


@pytest.fixture(scope="module")
def indexed(exported):
    return make_index(exported[0], 3, 0.5)


def test_an_export_says_what_its_index_finds(exported):
    report = read_report(exported[1])
    assert (report.k, report.least_recall, report.histories) == (3, 0.5, 1)
    assert report.recall >= 0.5
    assert str(report) in describe(exported[1]).splitlines()


def test_the_served_lists_are_those_of_the_index(exported, servable, indexed):
    run, _ = exported
    inputs = inputs_of(run, indexed.asked)
    answer = servable.run(servable.recommending(), inputs, ["items", "scores"])
    items = np.array([each.items for each in indexed.asked], np.int32)
    query = next(iter(run.data.evaluation("test"))).query
    query = query._replace(history=items, user=np.zeros(len(items), np.int32))
    states = run.model.products().states(query)
    found = indexed.index.search(states, items, 3)
    names = [run.data.vocabulary.lookup(row + 1) for row in found.columns]
    assert [[x.decode() for x in row] for row in answer["items"]] == names
    np.testing.assert_allclose(answer["scores"], found.scores, rtol=1e-5)


@pytest.fixture(scope="module")
def popularity(exported):
    run, _ = exported
    return popular_scores(run.data, run.config.fit_on)


def test_an_index_that_finds_too_little_is_noticed(
    exported, servable, popularity, indexed
):
    run, _ = exported
    verify(servable, run, popularity, indexed)
    better = dataclasses.replace(indexed, best=indexed.best + 1.0)
    with pytest.raises(DisagreementError, match=r"0\.0000 of the exact lists"):
        verify(servable, run, popularity, better)


def test_scores_that_are_not_finite_are_refused(exported):
    run, _ = exported
    bias = run.model.item_logits.bias
    before = bias.numpy()
    bias.assign(np.where(np.arange(12) == 3, np.nan, before))
    try:
        with pytest.raises(InputError, match="not finite"):
            make_index(run, 3, 0.5)
    finally:
        bias.assign(before)


@pytest.mark.parametrize("signature", ["serving_default", "among"])
def test_a_score_that_is_not_the_models_is_noticed(
    signature, exported, servable, popularity, indexed
):
    run, _ = exported
    for output in ("items", "scores"):
        disturbed = Disturbed(servable, signature, output)
        with pytest.raises(DisagreementError, match=f"{signature}, a history"):
            verify(disturbed, run, popularity, indexed)
