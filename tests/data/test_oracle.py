import dataclasses
import itertools

import numpy as np
import pytest

from tests.prepared import prepare_sequences
from tfrec.data.config import DataConfig
from tfrec.data.oracle import Oracle, inclusion, posterior
from tfrec.data.preparation import prepare
from tfrec.data.sources.synthetic import World
from tfrec.errors import InputError
from tfrec.metrics.ranking import NDCG, Recall, target_ranks

CUTOFFS = (5, 10, 20)


@pytest.fixture(scope="module")
def small_world():
    """Three rings of 8 of 10 items, small enough to enumerate."""
    rng = np.random.default_rng(0)
    return World(
        titles=[f"Item {i}" for i in range(10)],
        appeal=rng.uniform(0.1, 0.6, 10),
        prior=np.array([0.5, 0.3, 0.2]),
        rings=np.stack([rng.permutation(10)[:8] for _ in range(3)]),
    )


def transition(world, cluster, before, after):
    """p(after | before, cluster), read off the definition."""
    ring = world.rings[cluster].tolist()
    if before not in ring or after not in ring:
        return 0.0
    probability, place = 1.0, (ring.index(before) + 1) % len(ring)
    while ring[place] != after:
        probability *= 1 - world.appeal[ring[place]]
        place = (place + 1) % len(ring)
    return probability * world.appeal[after]


def slow_posterior(world, history):
    likelihood = []
    for cluster, prior in enumerate(world.prior):
        p = prior * (history[0] in world.rings[cluster]) / 8
        for before, after in itertools.pairwise(history):
            p *= transition(world, cluster, before, after)
        likelihood.append(p)
    return np.array(likelihood) / sum(likelihood)


def slow_inclusion(world, history, count):
    """Sums over every way to take or leave the items ahead."""
    included = np.zeros(10)
    for cluster, weight in enumerate(slow_posterior(world, history)):
        ring = world.rings[cluster].tolist()
        if history[-1] not in ring:
            continue
        place = ring.index(history[-1])
        ahead = ring[place + 1 :] + ring[:place]
        for choices in itertools.product([0, 1], repeat=len(ahead)):
            p, taken = weight, []
            for item, choice in zip(ahead, choices, strict=True):
                p *= world.appeal[item] if choice else 1 - world.appeal[item]
                if choice and len(taken) < count:
                    taken.append(item)
            included[taken] += p
    return included


@pytest.fixture(scope="module")
def histories(small_world):
    """Short walks of the small world, so that many leave a doubt."""
    items, _ = small_world.sample(
        np.array([1, 1, 2, 2, 2, 3, 3, 3, 3, 2] * 3),
        3,
        np.random.default_rng(1),
    )
    return items


def test_the_posterior_is_that_of_the_definition(small_world, histories):
    fast = posterior(small_world, histories)
    slow = [slow_posterior(small_world, row[row >= 0]) for row in histories]
    np.testing.assert_allclose(fast, slow, rtol=1e-9)
    # The test sees both certain and uncertain rows.
    assert fast.max(axis=1).min() < 0.6
    assert fast.max(axis=1).max() == 1.0


def test_the_inclusion_is_that_of_the_definition(small_world, histories):
    counts = 1 + np.arange(len(histories)) % 4
    fast = inclusion(small_world, histories, counts)
    slow = [
        slow_inclusion(small_world, row[row >= 0], count)
        for row, count in zip(histories, counts, strict=True)
    ]
    np.testing.assert_allclose(fast, slow, rtol=1e-9, atol=1e-12)


def test_a_history_of_another_world_is_an_error(small_world):
    world = dataclasses.replace(
        small_world, prior=np.ones(1), rings=small_world.rings[:1]
    )
    absent = np.setdiff1d(np.arange(10), world.rings)
    with pytest.raises(ValueError, match="impossible"):
        posterior(world, absent[None])


@pytest.fixture(scope="module", params=["holdout", "leave_one_out"])
def data(request, tmp_path_factory):
    return prepare(
        DataConfig(
            dataset="synthetic",
            data_dir=str(tmp_path_factory.mktemp("synthetic") / "data"),
            protocol=request.param,
        )
    )


def observed(batches, scorer):
    """Recall and NDCG of every sequence: {name: values}."""
    metrics = [kind(k) for kind in (Recall, NDCG) for k in CUTOFFS]
    values = {metric.name: [] for metric in metrics}
    for batch in batches:
        counts = np.count_nonzero(batch.targets, axis=1)
        scores = scorer(batch.history, counts).astype(np.float32)
        ranks = target_ranks(scores, batch.targets, batch.excluded)
        for metric in metrics:
            values[metric.name].extend(metric.values(ranks).numpy())
    return {name: np.array(rows) for name, rows in values.items()}


def last_items(history):
    return history[np.arange(len(history)), (history > 0).sum(axis=1) - 1]


def rivals(data):
    """Scorers fitted to the training records, and some that know more."""
    train = np.zeros(data.num_items)
    pairs = np.zeros([data.num_items] * 2)
    for batch in data.training(fit_on="all").as_numpy_iterator():
        items = batch.items
        train += np.bincount(items.ravel(), minlength=len(train) + 1)[1:]
        before, after = items[:, :-1][items[:, 1:] > 0], items[:, 1:]
        np.add.at(pairs, (before - 1, after[after > 0] - 1), 1)
    markov = pairs / np.maximum(pairs.sum(axis=1, keepdims=True), 1)
    reach = sum(np.linalg.matrix_power(markov, n) for n in range(1, 7))
    popular = train / train.sum()
    oracle = Oracle(data)
    rng = np.random.default_rng(0)
    return {
        "random": lambda h, counts: rng.random((len(h), len(train))),
        "pop": lambda h, counts: np.tile(popular, (len(h), 1)),
        "markov": lambda h, counts: markov[last_items(h) - 1] + popular,
        "markov, six steps": lambda h, counts: reach[last_items(h) - 1],
        # What an ideal next-item model would learn.
        "next item": lambda h, counts: oracle.score(h, np.ones_like(counts)),
        # Blind to the order: the last item alone.
        "forgetful": lambda h, counts: oracle.score(
            last_items(h)[:, None], counts
        ),
        "too far": lambda h, counts: oracle.score(h, counts + 5),
    }


@pytest.fixture(scope="module")
def results(data):
    """For each scorer, the metrics of every test sequence."""
    scorers = {"oracle": Oracle(data).score, **rivals(data)}
    batches = list(data.evaluation("test", 1000).as_numpy_iterator())
    return {name: observed(batches, s) for name, s in scorers.items()}


def test_the_oracle_scores_what_it_expects(data, results):
    expected = Oracle(data).evaluate("test", CUTOFFS)
    for name, values in results["oracle"].items():
        error = values.std() / np.sqrt(len(values))
        # Where every value is 1 there is no spread to go by.
        allowed = 4 * error + 1 / len(values)
        assert abs(values.mean() - expected[name]) < allowed, name


def test_no_scorer_beats_the_oracle(results):
    for name, rival in results.items():
        for metric, values in rival.items():
            gain = values - results["oracle"][metric]
            error = gain.std() / np.sqrt(len(gain))
            assert gain.mean() <= 3 * error, (name, metric)


def test_the_task_is_worth_learning(results):
    means = {name: r["ndcg@10"].mean() for name, r in results.items()}
    best = means["oracle"]
    assert 0 < means["random"] < means["pop"] < 0.2 * best
    # The order matters, and more than the last item.
    assert means["pop"] < means["markov"] < 0.85 * best
    assert means["forgetful"] < 0.85 * best
    # A model of the next item, ideally trained, comes near.
    assert 0.85 * best < means["next item"] <= best


def test_other_datasets_have_no_oracle(tmp_path):
    data = prepare_sequences(tmp_path, [[1, 2]])
    with pytest.raises(InputError, match="synthetic"):
        Oracle(data)


def test_cut_histories_have_no_oracle(tmp_path):
    data = prepare(
        DataConfig(
            dataset="synthetic",
            data_dir=str(tmp_path / "data"),
            synthetic_users=50,
            truncate_before_split=20,
        )
    )
    with pytest.raises(InputError, match="truncate_before_split"):
        Oracle(data)
