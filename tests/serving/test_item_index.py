import numpy as np
import pytest
import tensorflow as tf

from tfrec.models.base.items import EXCLUDED
from tfrec.serving.indexing import exact_lists
from tfrec.serving.item_index import ItemIndex
from tfrec.serving.partitions import partition

ITEMS, DIM = 300, 6
_RNG = np.random.default_rng(0)
VECTORS = _RNG.normal(size=[ITEMS, DIM]).astype(np.float32)
STATES = _RNG.normal(size=[9, DIM]).astype(np.float32)
PARTITIONS = partition(VECTORS, STATES, 20)
NONE = np.zeros([9, 1], np.int32)


def search(index, left_out=NONE, k=5):
    """Searches as a server does, in a graph for any batch."""
    traced = tf.function(
        lambda states, items: index.search(states, items, k), autograph=False
    ).get_concrete_function(
        tf.TensorSpec([None, DIM]), tf.TensorSpec([None, None], tf.int32)
    )
    found = traced(tf.constant(STATES), tf.constant(left_out))
    return found.scores.numpy(), found.columns.numpy()


def exact(left_out=NONE, k=5):
    columns, scores = exact_lists(VECTORS, STATES, left_out, k)
    return scores, columns


@pytest.fixture(scope="module")
def narrow():
    return ItemIndex(VECTORS, PARTITIONS, 2)


@pytest.mark.parametrize("k", [1, 5, 60])
def test_with_all_partitions_the_list_is_the_exact_one(k):
    index = ItemIndex(VECTORS, PARTITIONS, len(PARTITIONS.sizes))
    left_out = _RNG.integers(1, ITEMS + 1, [9, 40]).astype(np.int32)
    for items in (NONE, left_out):
        (scores, columns), wanted = search(index, items, k), exact(items, k)
        np.testing.assert_array_equal(columns, wanted[1])
        np.testing.assert_allclose(scores, wanted[0], rtol=1e-4, atol=1e-5)


def test_all_scores_are_in_the_order_of_columns(narrow):
    wanted = STATES @ VECTORS.T
    np.testing.assert_allclose(narrow.logits(STATES), wanted, atol=1e-5)
    items = np.int32([[3, 300, 1]] * 9)
    found = narrow.score(tf.constant(STATES), tf.constant(items))
    np.testing.assert_allclose(found, wanted[:, [2, 299, 0]], atol=1e-5)


def test_the_best_of_the_nearest_partitions_are_found(narrow):
    scores, columns = search(narrow)
    near = np.argsort(-STATES @ PARTITIONS.centres.T)[:, :2]
    for row, partitions in enumerate(near):
        inside = np.flatnonzero(np.isin(PARTITIONS.owners, partitions))
        own = STATES[row] @ VECTORS[inside].T
        best = np.argsort(-own)[:5]
        np.testing.assert_array_equal(columns[row], inside[best])
        np.testing.assert_allclose(scores[row], own[best], atol=1e-5)


def test_an_item_that_is_left_out_is_never_found(narrow):
    left_out = NONE
    for _ in range(5):
        scores, columns = search(narrow, left_out)
        for row, out in zip(columns + 1, left_out, strict=True):
            assert not {*row} & {*out}
            assert len({*row}) == 5
        assert (scores > EXCLUDED).all()
        # The next time without these, and with padding between.
        left_out = np.concatenate([left_out, columns + 1, NONE], 1)


def test_where_too_few_are_probed_the_list_is_exact(narrow):
    assert PARTITIONS.sizes.max() < 40
    scores, columns = search(narrow, k=80)
    wanted = exact(k=80)
    np.testing.assert_array_equal(columns, wanted[1])
    np.testing.assert_allclose(scores, wanted[0], rtol=1e-4, atol=1e-5)


def test_no_list_is_shorter_than_the_exact_one(narrow):
    left_out = np.tile(np.arange(1, ITEMS - 2, dtype=np.int32), [9, 1])
    scores, columns = search(narrow, left_out)
    assert (scores[:, :3] > EXCLUDED).all()
    assert (scores[:, 3:] == EXCLUDED).all()
    assert {*columns[:, :3].ravel()} == {297, 298, 299}


def test_equal_items_are_listed_once_each():
    vectors = np.repeat(VECTORS[:3], 100, 0)
    parts = partition(vectors, STATES, 20)
    index = ItemIndex(vectors, parts, len(parts.sizes))
    scores, columns = search(index, k=30)
    assert all(len({*row}) == 30 for row in columns)
    best = (STATES @ vectors.T).max(1, keepdims=True)
    np.testing.assert_allclose(scores, np.tile(best, [1, 30]), atol=1e-5)


def test_no_table_is_copied_when_it_is_read_as_a_whole(narrow):
    """As TensorFlow does for a variable of which `ResourceGather` read rows."""
    traced = tf.function(narrow.search, autograph=False).get_concrete_function(
        tf.constant(STATES), tf.constant(NONE), 5
    )
    graph = traced.graph.as_graph_def()
    functions = [n for f in graph.library.function for n in f.node_def]
    operations = {node.op for node in [*graph.node, *functions]}
    assert "GatherV2" in operations
    assert "ResourceGather" not in operations


def test_a_batch_may_be_empty(narrow):
    found = narrow.search(STATES[:0], tf.constant(NONE[:0]), 5)
    assert found.scores.shape == found.columns.shape == (0, 5)
