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


def test_items_start_in_given_directions_as_long_as_what_was_drawn():
    layer = made(reserved=1)
    drawn = layer.embeddings.numpy()
    directions = np.float32([[2, 0, 0], [0, 3, 0], [0, 0, 0], [5, 5, 0]])
    layer.start_at(directions)
    found = layer.embeddings.numpy()
    # Padding, the item without a direction, and the reserved token.
    np.testing.assert_array_equal(found[[0, 3, 5]], drawn[[0, 3, 5]])
    length, half = np.linalg.norm(drawn[1:5], axis=1).mean(), 0.5**0.5
    np.testing.assert_allclose(
        found[[1, 2, 4]] @ found[[1, 2, 4]].T,
        length**2 * np.array([[1, 0, half], [0, 1, half], [half, half, 1]]),
        atol=1e-5,
    )
    # Rotated: no vector lies on an axis.
    assert (np.abs(found[[1, 2, 4]]) > 1e-3).all()


def test_devices_start_alike():
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    directions = np.float32([[2, 0, 0], [0, 3, 0], [0, 0, 0], [5, 5, 0]])
    with strategy.scope():
        layer = made()
        drawn = layer.item_vectors.numpy()
        layer.start_at(directions)
    each = strategy.run(lambda: layer(tf.constant([1, 2, 4]))).values
    np.testing.assert_array_equal(each[0], each[1])
    length = np.linalg.norm(drawn, axis=1).mean()
    np.testing.assert_allclose(tf.norm(each[0][0]), length, rtol=1e-5)
    cosine = tf.tensordot(each[0][0], each[0][2], 1) / tf.norm(each[0][0]) ** 2
    np.testing.assert_allclose(cosine, 0.5**0.5, rtol=1e-5)
