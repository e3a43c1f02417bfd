"""The sampled softmax against TensorFlow's, and against the full one."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrec.errors import InputError
from tfrec.layers import item_softmax
from tfrec.layers.item_embedding import ItemEmbedding
from tfrec.layers.item_softmax import ItemSoftmax
from tfrec.layers.sampled_softmax import Sample, draw_items

SIZE, DIM = 40, 4

# Items before the four positions of `problem`, and where those are.
HISTORIES = (
    tf.constant([[3, 40, 7], [5, 5, 0], [1, 8, 2]]),
    tf.constant([[0, 1], [0, 2], [1, 1], [2, 2]], tf.int64),
)


def layer(samples=10, **options):
    """Returns a layer with biases, and items in an order of popularity."""
    made = ItemSoftmax(SIZE, samples=samples, **options)
    made.build((None, DIM))
    made.bias.assign(tf.random.normal([SIZE]))
    if samples:
        made.order_by(tf.random.shuffle(tf.range(SIZE, dtype=tf.float32)))
    return made


@pytest.fixture
def everything(monkeypatch):
    """Makes every sample hold all items, as often as they are there: once."""
    monkeypatch.setattr(
        item_softmax,
        "draw_items",
        lambda places, draws, size, seed: Sample(
            tf.range(size, dtype=tf.int64),
            tf.zeros([size]),
            tf.zeros(places.shape),
        ),
    )


def problem():
    """Returns states, windows of targets with gaps and repeats, weights."""
    items = tf.constant([[3, 9, 40], [7, 0, 0], [5, 5, 2], [8, 0, 8]])
    return tf.random.normal([4, DIM]), items, tf.random.uniform([4])


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("cosine_scale", [0.0, 6.0])
@pytest.mark.parametrize("histories", [(), HISTORIES])
def test_a_sample_of_everything_is_the_full_softmax(
    everything, tied, cosine_scale, histories
):
    embedding = None
    if tied:
        embedding = ItemEmbedding(SIZE + 1, DIM, "normal")
        embedding.build((None, None))
    sampled, full = (
        layer(samples, embedding=embedding, cosine_scale=cosine_scale)
        for samples in (1, 0)
    )
    full.bias.assign(sampled.bias)
    if not tied:
        full.own_kernel.assign(sampled.own_kernel)
    hidden, items, weights = problem()

    def run(made):
        table = embedding.embeddings if tied else made.own_kernel
        with tf.GradientTape() as tape:
            tape.watch(hidden)
            loss = made.loss(hidden, items, weights, *histories)
        found = tape.gradient(loss, [hidden, table.value, made.bias.value])
        return loss, *found

    for ours, expected in zip(run(sampled), run(full), strict=True):
        np.testing.assert_allclose(
            tf.convert_to_tensor(ours),
            tf.convert_to_tensor(expected),
            rtol=1e-4,
            atol=1e-5,
        )


def test_drawn_items_of_the_history_are_left_out(monkeypatch):
    drawn = [12, 4, 30, 9]
    monkeypatch.setattr(
        item_softmax,
        "draw_items",
        lambda places, draws, size, seed: Sample(
            tf.constant([made.places.numpy()[i - 1] for i in drawn]),
            tf.zeros([4]),
            tf.zeros(places.shape),
        ),
    )
    made = layer()
    hidden = tf.random.normal([2, DIM])
    history = tf.constant([[30, 8, 4, 17]])
    places = tf.constant([[0, 1], [0, 2]], tf.int64)
    received = made.loss(
        hidden, tf.constant([[2], [6]]), tf.ones([2]), history, places
    )
    each = 0.0
    for row, competing in enumerate([[2, 12, 4, 9], [6, 12, 9]]):
        columns = tf.constant(competing) - 1
        logits = tf.linalg.matvec(
            tf.gather(made.own_kernel, columns), hidden[row]
        ) + tf.gather(made.bias, columns)
        each -= tf.nn.log_softmax(logits)[0]
    np.testing.assert_allclose(received, each, rtol=1e-5)


def test_the_loss_is_that_of_tensorflow(monkeypatch):
    made = layer(samples=15)
    hidden, weights = tf.random.normal([20, DIM]), tf.random.uniform([20])
    items = tf.random.uniform([20, 1], 1, SIZE + 1, tf.int32)
    places = tf.gather(made.places.value, items - 1)
    sample = draw_items(places, 15, SIZE, made.seed_generator)
    monkeypatch.setattr(item_softmax, "draw_items", lambda *_: sample)
    once = sample.log_chances < 1.0
    drawn = sample.places[once]
    each = tf.nn.sampled_softmax_loss(
        tf.gather(made.own_kernel.value, made.order.value),
        tf.gather(made.bias.value, made.order.value),
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
    np.testing.assert_allclose(
        made.loss(hidden, items, weights),
        tf.reduce_sum(weights * each),
        rtol=1e-5,
    )


@pytest.mark.parametrize("draws", [3, 25])
def test_popular_items_are_drawn_as_often_as_is_said(draws):
    everything = tf.range(SIZE, dtype=tf.int64)
    seed = keras.random.SeedGenerator(1)
    draw = tf.function(lambda: draw_items(everything, draws, SIZE, seed))
    chances = np.exp(draw().target_log_chances)
    rounds = 600
    counts = np.zeros(SIZE)
    for _ in range(rounds):
        sample = draw()
        counted = sample.log_chances < 1.0
        chosen = sample.places[counted].numpy()
        assert len(set(chosen)) == len(chosen) <= draws
        assert set(chosen) == set(sample.places.numpy())
        np.testing.assert_allclose(
            np.exp(sample.log_chances[counted]), chances[chosen], rtol=1e-5
        )
        counts[chosen] += 1
    np.testing.assert_allclose(counts / rounds, chances, atol=0.07)
    # Place 0 spans 0.6 or 4.7 of the equal parts; the last a sixth, at most.
    assert (chances[0] == 1) == (draws == 25)
    assert 0.01 < chances[-1] < 0.2 < 0.5 < chances[0]


def test_rare_items_of_a_large_catalogue_are_drawn():
    seed = keras.random.SeedGenerator(1)
    size = 10**7
    sample = draw_items(tf.constant([size - 1]), 2000, size, seed)
    chance = 2000 * np.log1p(1 / size) / np.log(size + 1)
    np.testing.assert_allclose(
        np.exp(sample.target_log_chances), [chance], rtol=1e-4
    )
    last = sample.places.numpy()[-50:]
    assert last.max() < size and len(set(last % 16)) > 8


def test_a_seed_gives_its_samples_again():
    def draw(seed):
        return draw_items(tf.constant([0]), 10, 1000, seed).places.numpy()

    one, two = (keras.random.SeedGenerator(5) for _ in range(2))
    first = draw(one)
    np.testing.assert_array_equal(first, draw(two))
    assert set(first) != set(draw(one))


def test_the_most_popular_items_come_first():
    made = ItemSoftmax(4, samples=2)
    made.build((None, DIM))
    np.testing.assert_array_equal(made.order, [0, 1, 2, 3])
    made.order_by(tf.constant([1.0, 5.0, 0.0, 5.0]))
    np.testing.assert_array_equal(made.order, [1, 3, 0, 2])
    np.testing.assert_array_equal(made.places, [2, 0, 3, 1])


def test_gradients_have_only_the_rows_that_were_read():
    made = layer()
    variables = [made.own_kernel.value, made.bias.value]

    @tf.function
    def gradients(*inputs):
        with tf.GradientTape() as tape:
            loss = made.loss(*inputs)
        return tape.gradient(loss, variables)

    hidden, items, weights = problem()
    for gradient in gradients(hidden, items, weights):
        assert isinstance(gradient, tf.IndexedSlices)
        assert tf.size(items) < len(gradient.indices) <= 10 + tf.size(items)


def test_an_embedding_looks_up_rows_of_its_table():
    ours, plain = ItemEmbedding(5, 3), keras.layers.Embedding(5, 3)
    for made in (ours, plain):
        made.build((None, None))
    plain.embeddings.assign(ours.embeddings)
    items = tf.constant([[1, 4], [0, 1]])
    np.testing.assert_array_equal(ours(items), plain(items))
    graph = tf.function(ours.call).get_concrete_function(items).graph
    kinds = {operation.type for operation in graph.get_operations()}
    assert "ResourceGather" in kinds and "ReadVariableOp" not in kinds


def test_tiles_of_logits_are_those_of_the_softmax(monkeypatch):
    monkeypatch.setattr(item_softmax, "_TILE", 100)
    made = ItemSoftmax(150, cosine_scale=3.0)
    made.build((None, DIM))
    made.bias.assign(tf.random.normal([150]))
    hidden = tf.random.normal([6, DIM])
    assert made.tile == 128
    logits = [made.logits(hidden, start) for start in (0, 128)]
    np.testing.assert_array_equal(logits[1][:, 22:], logits[1][:, 21:-1])
    np.testing.assert_allclose(
        tf.nn.log_softmax(tf.concat(logits, 1)[:, :150]),
        made(hidden),
        rtol=1e-5,
        atol=1e-5,
    )


@pytest.mark.parametrize("samples", [SIZE, SIZE + 1])
def test_a_sample_must_be_smaller_than_the_catalogue(samples):
    with pytest.raises(InputError, match=rf"\({SIZE}\)\. Received: {samples}"):
        layer(samples)
