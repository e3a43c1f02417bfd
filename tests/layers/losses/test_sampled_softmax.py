"""The sampled softmax against TensorFlow's, and against the full one."""

import numpy as np
import pytest
import tensorflow as tf

from tfrec.layers.item_embedding import ItemEmbedding
from tfrec.layers.item_logits import ItemLogits
from tfrec.layers.losses import (
    FullSoftmax,
    Histories,
    PopularitySampler,
    SampledSoftmax,
    Targets,
    sampler,
)
from tfrec.layers.losses.sampler import Sample, draw_items

SIZE, DIM = 40, 4

# Items before the four positions of `problem`, and where those are.
HISTORIES = Histories(
    tf.constant([[3, 40, 7], [5, 5, 0], [1, 8, 2]]) - 1,
    tf.constant([[0, 1], [0, 2], [1, 1], [2, 2]], tf.int64),
)


def made_logits(**options):
    """Returns a layer with biases."""
    logits = ItemLogits(SIZE, **options)
    logits.build((None, DIM))
    logits.bias.assign(tf.random.normal([SIZE]))
    return logits


def sampled(draws=10, **options):
    """Returns a loss on samples, of items in an order of popularity."""
    loss = SampledSoftmax(PopularitySampler(SIZE, draws), **options)
    loss.order_by(tf.random.shuffle(tf.range(SIZE, dtype=tf.float32)))
    return loss


@pytest.fixture
def everything(monkeypatch):
    """Makes every sample hold all items, as often as they are there: once."""
    monkeypatch.setattr(
        sampler,
        "draw_items",
        lambda places, draws, size, seed, cumulative: Sample(
            tf.range(size, dtype=tf.int64),
            tf.zeros([size]),
            tf.zeros(places.shape),
        ),
    )


def problem():
    """Returns states, and windows of targets with gaps and repeats."""
    items = tf.constant([[3, 9, 40], [7, 0, 0], [5, 5, 2], [8, 0, 8]])
    targets = Targets.of(items, tf.random.uniform([4]))
    return tf.random.normal([4, DIM]), targets


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("cosine_scale", [0.0, 6.0])
@pytest.mark.parametrize("exclude_history", [False, True])
def test_a_sample_of_everything_is_the_full_softmax(
    everything, tied, cosine_scale, exclude_history
):
    embedding = None
    if tied:
        embedding = ItemEmbedding(SIZE, DIM, embeddings_initializer="normal")
        embedding.build((None, None))
    logits = made_logits(embedding=embedding, cosine_scale=cosine_scale)
    hidden, targets = problem()
    table = embedding.embeddings if tied else logits.own_kernel

    def run(loss):
        with tf.GradientTape() as tape:
            tape.watch(hidden)
            total = loss.total(logits, hidden, targets, HISTORIES)
        found = tape.gradient(total, [hidden, table.value, logits.bias.value])
        return total, *found

    for ours, expected in zip(
        run(sampled(1, exclude_history=exclude_history)),
        run(FullSoftmax(exclude_history=exclude_history)),
        strict=True,
    ):
        np.testing.assert_allclose(
            tf.convert_to_tensor(ours),
            tf.convert_to_tensor(expected),
            rtol=1e-4,
            atol=1e-5,
        )


@pytest.mark.parametrize("exclude_history", [False, True])
def test_drawn_items_of_the_history_are_left_out_if_asked(
    monkeypatch, exclude_history
):
    drawn = [12, 4, 30, 9]
    loss = sampled(exclude_history=exclude_history)
    of_items = loss.sampler.places.numpy()[np.array(drawn) - 1]
    monkeypatch.setattr(
        sampler,
        "draw_items",
        lambda places, draws, size, seed, cumulative: Sample(
            tf.constant(of_items), tf.zeros([4]), tf.zeros(places.shape)
        ),
    )
    logits, hidden = made_logits(), tf.random.normal([2, DIM])
    histories = Histories(
        tf.constant([[30, 8, 4, 17]]) - 1,
        tf.constant([[0, 1], [0, 2]], tf.int64),
    )
    targets = Targets.of(tf.constant([[2], [6]]), tf.ones([2]))
    received = loss.total(logits, hidden, targets, histories)
    competing = [[2, 12, 4, 9], [6, 12, 9]]
    if not exclude_history:
        competing = [[2, *drawn], [6, *drawn]]
    each = 0.0
    for row, items in enumerate(competing):
        columns = tf.constant(items) - 1
        own = tf.linalg.matvec(logits.vectors(columns), hidden[row])
        each -= tf.nn.log_softmax(own + logits.biases(columns))[0]
    np.testing.assert_allclose(received, each, rtol=1e-5)


def test_the_loss_is_that_of_tensorflow(monkeypatch):
    logits, loss = made_logits(), sampled(15)
    hidden, weights = tf.random.normal([20, DIM]), tf.random.uniform([20])
    items = tf.random.uniform([20, 1], 1, SIZE + 1, tf.int32)
    places = tf.gather(loss.sampler.places.value, items - 1)
    sample = draw_items(places, 15, SIZE, loss.sampler.seed_generator)
    monkeypatch.setattr(sampler, "draw_items", lambda *_: sample)
    once = sample.log_chances < 1.0
    drawn = sample.places[once]
    order = loss.sampler.order.value
    each = tf.nn.sampled_softmax_loss(
        tf.gather(logits.own_kernel.value, order),
        tf.gather(logits.bias.value, order),
        places,
        hidden,
        num_sampled=len(drawn),
        num_classes=SIZE,
        sampled_values=(
            drawn,
            tf.exp(sample.target_log_chances),
            tf.exp(sample.log_chances[once]),
        ),
        remove_accidental_hits=True,
    )
    assert np.isin(places, sample.places).any()
    assert len(drawn) < 15
    np.testing.assert_allclose(
        loss.total(logits, hidden, Targets.of(items, weights), HISTORIES),
        tf.reduce_sum(weights * each),
        rtol=1e-5,
    )


def test_gradients_have_only_the_rows_that_were_read():
    logits, loss = made_logits(), sampled()
    variables = [logits.own_kernel.value, logits.bias.value]

    @tf.function
    def gradients(hidden, targets):
        with tf.GradientTape() as tape:
            total = loss.total(logits, hidden, targets, HISTORIES)
        return tape.gradient(total, variables)

    hidden, targets = problem()
    read = tf.size(targets.items)
    for gradient in gradients(hidden, targets):
        assert isinstance(gradient, tf.IndexedSlices)
        assert read < len(gradient.indices) <= 10 + read
