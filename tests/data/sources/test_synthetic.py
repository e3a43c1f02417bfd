import ibis
import numpy as np
import pytest

from tfrec.data.config import DataConfig
from tfrec.data.duckdb_engine import DuckDBEngine
from tfrec.data.sources import get_source
from tfrec.data.sources.synthetic import build_world
from tfrec.errors import InputError


def config(**settings):
    return DataConfig(dataset="synthetic", **settings)


def log(settings):
    engine = DuckDBEngine(ibis.duckdb.connect())
    table, day, _ = get_source("synthetic").read(engine, settings)
    assert day == 24 * 3600
    return engine.connection.to_pyarrow(table)


def test_the_log_has_the_columns_of_a_source():
    table = log(config(synthetic_users=20))
    types = {field.name: str(field.type) for field in table.schema}
    assert types == {
        "sequence": "string",
        "item": "string",
        "timestamp": "int64",
        "position": "int64",
    }
    times = table["timestamp"].to_numpy()
    assert (np.diff(times) >= 0).all()
    assert table["position"].to_pylist() == list(range(len(table)))


def test_the_same_seed_gives_identical_data():
    settings = config(synthetic_users=20)
    assert log(settings).equals(log(settings))


@pytest.mark.parametrize("clusters", [1, 5])
def test_another_seed_gives_other_data(clusters):
    one = config(synthetic_users=20, synthetic_clusters=clusters)
    two = config(
        synthetic_users=20, synthetic_clusters=clusters, synthetic_seed=1
    )
    assert not log(one).equals(log(two))
    assert (build_world(one).rings != build_world(two).rings).any()


def test_sequences_have_their_length_and_no_item_twice():
    table = log(config(synthetic_users=200, synthetic_length=30))
    sequences = {}
    for name, item, time in zip(
        *(table[c].to_pylist() for c in ("sequence", "item", "timestamp")),
        strict=True,
    ):
        sequences.setdefault(name, []).append((item, time))
    lengths = [len(rows) for rows in sequences.values()]
    assert len(lengths) == 200
    assert (min(lengths), max(lengths)) == (20, 40)
    for rows in sequences.values():
        assert len({item for item, _ in rows}) == len(rows)
        # No ties, so the order within a sequence is that of time alone.
        assert len({time for _, time in rows}) == len(rows)


def test_every_item_has_a_readable_title():
    settings = config(synthetic_users=20)
    engine = DuckDBEngine(ibis.duckdb.connect())
    titles = get_source("synthetic").titles(engine, settings)
    titles = engine.connection.to_pyarrow(titles).to_pydict()
    named = dict(zip(titles["item"], titles["title"], strict=True))
    assert len(named) == 500
    assert named["bossa-nova-017"] == "Bossa Nova 017"
    assert set(log(settings)["item"].to_pylist()) <= named.keys()


def test_a_walk_takes_each_item_it_passes_with_its_appeal():
    world = build_world(config())
    rng = np.random.default_rng(0)
    lengths = np.full(3000, 20)
    items, clusters = world.sample(lengths, 20, rng)
    taken = np.zeros(500)
    passed = np.zeros(500)
    for row, cluster in zip(items, clusters, strict=True):
        ring = world.rings[cluster]
        (start,), (end,) = (np.flatnonzero(ring == row[i]) for i in (0, -1))
        # In the order of the ring, once around at most.
        path = ring[(start + 1 + np.arange((end - start) % 200)) % 200]
        chosen = np.isin(path, row)
        np.testing.assert_array_equal(path[chosen], row[1:])
        np.add.at(passed, path, 1)
        np.add.at(taken, path, chosen)
    seen = passed > 100
    expected = world.appeal[seen]
    error = np.sqrt(expected * (1 - expected) / passed[seen])
    assert seen.sum() > 300
    assert (
        np.abs(taken / np.maximum(passed, 1))[seen] - expected < 5 * error
    ).all()
    # All clusters are drawn, by their probabilities.
    share = np.bincount(clusters) / 3000
    np.testing.assert_allclose(share, world.prior, atol=0.04)


def test_a_walk_never_comes_round_to_its_start():
    for length in (2, 8, 30, 100):
        world = build_world(
            config(synthetic_length=length, synthetic_items=1000)
        )
        longest = length + length // 3
        items, _ = world.sample(
            np.full(5000, longest), longest, np.random.default_rng(0)
        )
        # It would end there, shorter than it should be.
        assert (items >= 0).all()


def test_too_few_items_for_the_length_are_refused():
    with pytest.raises(InputError, match=r"--synthetic_items.*at least 200"):
        build_world(config(synthetic_items=199))
    build_world(config(synthetic_items=200))
