"""Tests of the vectors of items as they are read."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrec.layers.item_embedding import ItemEmbedding


def made(num_items=4, reserved=0) -> ItemEmbedding:
    """Returns a built embedding of vectors of size 3."""
    layer = ItemEmbedding(num_items, 3, reserved)
    layer.build((None, None))
    return layer


def test_an_embedding_looks_up_rows_of_its_table():
    ours, plain = made(), keras.layers.Embedding(5, 3)
    plain.build((None, None))
    plain.embeddings.assign(ours.embeddings)
    items = tf.constant([[1, 4], [0, 1]])
    np.testing.assert_array_equal(ours(items), plain(items))
    graph = tf.function(ours.call).get_concrete_function(items).graph
    kinds = {operation.type for operation in graph.get_operations()}
    assert "ResourceGather" in kinds and "ReadVariableOp" not in kinds


@pytest.mark.parametrize("reserved", [0, 2])
def test_item_vectors_are_neither_padding_nor_reserved(reserved):
    layer = made(reserved=reserved)
    assert layer.embeddings.shape == (5 + reserved, 3)
    np.testing.assert_array_equal(
        layer.item_vectors, layer.embeddings.numpy()[1:5]
    )


def test_reserved_tokens_come_after_the_items():
    layer = made(reserved=2)
    rows = [layer.reserved_index(number) for number in (0, 1)]
    assert rows == [5, 6]
    np.testing.assert_array_equal(
        layer(tf.constant(rows)), layer.embeddings.numpy()[5:]
    )


@pytest.mark.parametrize(("reserved", "number"), [(0, 0), (2, 2), (2, -1)])
def test_a_token_that_is_not_reserved_is_refused(reserved, number):
    with pytest.raises(
        ValueError, match=rf"the {reserved} reserved rows.*Received: {number}"
    ):
        made(reserved=reserved).reserved_index(number)
