"""Tests of the Transformer block against a literal reading of its formula."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfrec.layers.transformer import PositionEmbedding, TransformerBlock

DIM, HEADS = 6, 2
# The last row is of padding alone.
VALID = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0]], bool)


def block(**options) -> TransformerBlock:
    """Returns a block whose weights are all random."""
    made = TransformerBlock(HEADS, 7, **options)
    made.build((None, None, DIM))
    for seed, weight in enumerate(made.trainable_variables):
        noise = tf.random.stateless_normal(weight.shape, [seed, 1])
        weight.assign_add(0.3 * noise)
    return made


def vectors() -> np.ndarray:
    return np.random.default_rng(0).normal(size=[3, 5, DIM]).astype("f4")


def normalise(x, layer):
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt(np.square(centred).mean(-1, keepdims=True))
    return scaled * layer.gamma.numpy() + layer.beta.numpy()


def attend(x, layer, seen):
    """Attention of one sequence, head by head, position by position."""
    (q, bq), (k, bk), (v, bv), (out, bias) = (
        [w.numpy() for w in part.trainable_variables]
        for part in (
            layer._query_dense,
            layer._key_dense,
            layer._value_dense,
            layer._output_dense,
        )
    )
    found = np.tile(bias, [len(x), 1])
    for head in range(HEADS):
        queries = x @ q[:, head] + bq[head]
        keys = x @ k[:, head] + bk[head]
        values = x @ v[:, head] + bv[head]
        for t in range(len(x)):
            at = np.flatnonzero(seen[t])
            scores = np.exp(keys[at] @ queries[t] / math.sqrt(DIM // HEADS))
            found[t] += (scores / scores.sum()) @ values[at] @ out[head]
    return found


def feed(x, made, activation):
    (w, b), (v, c) = (
        [weight.numpy() for weight in layer.trainable_variables]
        for layer in (made.hidden, made.output_layer)
    )
    return activation(x @ w + b) @ v + c


def gelu(x):
    return x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2


def relu(x):
    return np.maximum(x, 0)


def test_before_attention_it_normalises_as_in_sasrec():
    made, x = block(), vectors()
    found = made(x)
    before = np.tril(np.ones([5, 5]))
    for row, values in zip(found, x, strict=True):
        y = values + attend(
            normalise(values, made.attention_norm), made.attention, before
        )
        z = y + feed(normalise(y, made.feed_norm), made, relu)
        np.testing.assert_allclose(row, z, rtol=1e-3, atol=1e-4)


def test_after_each_part_it_normalises_as_in_bert():
    made = block(causal=False, norm_first=False, activation="gelu")
    x = vectors()
    found = made(x, tf.constant(VALID)).numpy()
    for row, values, valid in zip(found[:2], x, VALID, strict=False):
        seen = np.tile(valid, [5, 1])
        y = normalise(
            values + attend(values, made.attention, seen), made.attention_norm
        )
        z = normalise(y + feed(y, made, gelu), made.feed_norm)
        np.testing.assert_allclose(row, z, rtol=1e-3, atol=1e-4)
    # A row without a valid position is read by nobody, and is no NaN.
    assert np.isfinite(found[2]).all()


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_causal_block_sees_nothing_later(norm_first):
    made, x = block(norm_first=norm_first), vectors()
    later = x.copy()
    later[:, 3:] *= -1.0
    before, after = made(x), made(later)
    np.testing.assert_array_equal(before[:, :3], after[:, :3])
    assert np.abs(before - after)[:, 3:].max() > 1e-3


def test_what_is_not_valid_changes_nothing():
    made = block(causal=False)
    x, valid = vectors(), tf.constant(VALID)
    other = np.where(VALID[..., None], x, 9.0).astype("f4")
    before, after = made(x, valid).numpy(), made(other, valid).numpy()
    np.testing.assert_array_equal(before[VALID], after[VALID])
    assert np.abs(before - made(x).numpy())[1, :3].max() > 1e-3
    # A later position is seen.
    other = x.copy()
    other[0, 4] *= -1.0
    assert np.abs(made(other, valid).numpy() - before)[0, 0].max() > 1e-4


def test_dropout_is_on_in_training_alone():
    made, x = block(dropout=0.5), vectors()
    np.testing.assert_array_equal(made(x), made(x, training=False))
    first, second = made(x, training=True), made(x, training=True)
    assert np.abs(first - second).max() > 1e-3


def test_heads_must_divide_the_vectors():
    with pytest.raises(ValueError, match=r"vector \(6\)\. Received: 4\."):
        TransformerBlock(4, 8).build((None, None, 6))


def test_positions_are_counted_from_the_oldest():
    layer = PositionEmbedding(4)
    layer.build((None, None, 3))
    for length, places in ((3, [0, 1, 2]), (6, [0, 1, 2, 3, 3, 3])):
        for row in layer(tf.ones([2, length, 3])):
            expected = 1.0 + layer.embeddings.numpy()[places]
            np.testing.assert_array_equal(row, expected)


def test_kernels_are_as_far_apart_as_asked_and_drawn_one_by_one():
    made = TransformerBlock(8, 256, kernel_deviation=0.02)
    made.build((None, None, 128))
    kernels = [w for w in made.trainable_variables if "kernel" in w.path]
    assert len(kernels) == 6
    for kernel in kernels:
        assert np.std(kernel) == pytest.approx(0.02, rel=0.05)
    # Query, key and value have one shape.
    alike = [k.numpy() for k in kernels if k.shape == (128, 8, 16)]
    first, *others = alike
    assert len(others) == 2
    assert all(np.abs(first - other).max() > 0.01 for other in others)
    glorot = TransformerBlock(8, 256)
    glorot.build((None, None, 128))
    assert np.std(glorot.hidden.kernel) == pytest.approx(0.072, rel=0.05)
