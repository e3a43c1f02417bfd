"""LazyAdamW against AdamW on the rows that were read, and nothing elsewhere."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrec.optimizers import LazyAdamW, lazy_adamw
from tfrec.training.strategy import make_strategy

ROWS = np.array([5, 1, 1, 3])


def make(optimizer_class, **options):
    """Returns a table, a dense variable and their optimizer."""
    keras.utils.set_random_seed(1)
    table, dense = (
        keras.Variable(np.random.normal(size=shape).astype("float32"))
        for shape in ([7, 2], [3])
    )
    optimizer = optimizer_class(0.1, **{"weight_decay": 0.2, **options})
    optimizer.build([table, dense])
    return table, dense, optimizer


def train(table, dense, optimizer, steps=3):
    """Steps on gradients that grow from step to step."""

    @tf.function
    def step(scale):
        with tf.GradientTape() as tape:
            vectors = tf.gather(table.value, ROWS)
            each = tf.range(1.0, 5.0)[:, None] * vectors**2
            loss = scale * (tf.reduce_sum(each) + tf.reduce_sum(dense**2))
        gradients = tape.gradient(loss, [table, dense])
        assert isinstance(gradients[0], tf.IndexedSlices)
        if not isinstance(optimizer, LazyAdamW):
            # Keras would square the parts of a row's gradient, not their sum.
            gradients[0] = tf.convert_to_tensor(gradients[0])
        optimizer.apply(gradients)

    for number in range(steps):
        step(tf.constant(number + 1.0))


@pytest.mark.parametrize("decay", [0.0, 0.2])
def test_rows_that_are_read_are_stepped_as_by_adamw(decay):
    lazy, plain = (
        make(made, weight_decay=decay)
        for made in (LazyAdamW, keras.optimizers.AdamW)
    )
    before = lazy[0].numpy()
    train(*lazy)
    train(*plain)
    read = np.unique(ROWS)
    np.testing.assert_allclose(lazy[1], plain[1], rtol=1e-5)
    *ours, last_step, _, _, _ = [lazy[0], *lazy[2].variables]
    np.testing.assert_array_equal(last_step, [0, 3, 0, 3, 0, 3, 0])
    for found, expected in zip(
        ours, [plain[0], *plain[2].variables], strict=True
    ):
        found, expected = np.array(found), np.array(expected)
        if found.shape == (7, 2):
            found, expected = found[read], expected[read]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    assert np.abs(lazy[0].numpy() - before)[read].min() > 0.01


def make_late(**options):
    """Returns what LazyAdamW and AdamW step, and a step for both.

    After many steps: the first ones are corrected by changing factors.
    """
    lazy, plain = (
        make(made, **options) for made in (LazyAdamW, keras.optimizers.AdamW)
    )
    for optimizer in (lazy[2], plain[2]):
        optimizer.iterations.assign(9_000)
    lazy[2].last_steps[0].assign([9_000] * 7)

    def step(rows, gradient, rate):
        gradient = tf.IndexedSlices(gradient.astype(np.float32), rows, [7, 2])
        for _, _, optimizer in (lazy, plain):
            optimizer.learning_rate.assign(rate)
            if optimizer is plain[2]:
                # Keras would forget what a lookup does not name.
                gradient = tf.convert_to_tensor(gradient)
            optimizer.apply([gradient, tf.ones([3])])

    return lazy, plain, step


@pytest.mark.parametrize("decay", [0.0, 0.02])
def test_rows_make_up_for_the_steps_that_they_missed(decay):
    (ours, *_), (theirs, *_), step = make_late(weight_decay=decay)
    start = ours.numpy()
    rng = np.random.default_rng(0)
    for number in range(30):
        # Row 6 is read in the last step alone, the others now and then.
        rows = np.flatnonzero(rng.random(7) < [1.0, 0.5, 0.5, 0.2, 0.2, 0.1, 0])
        if number == 29:
            rows = np.arange(7)
        step(rows, rng.normal(size=[len(rows), 2]), 1e-3)
    np.testing.assert_allclose(ours, theirs, atol=2e-5)
    assert np.abs(ours.numpy() - start).max(1).min() > 1e-3


@pytest.mark.parametrize("first", [1, 10, 100])
@pytest.mark.parametrize("missed", [5, 40, 400])
def test_young_rows_make_up_for_about_what_they_missed(first, missed):
    """Row 0 has gradients in the first steps alone, row 2 in all."""
    lazy, plain = (
        make(made, weight_decay=0.0)
        for made in (LazyAdamW, keras.optimizers.AdamW)
    )
    moved = []
    for table, _, optimizer in (lazy, plain):
        optimizer.learning_rate.assign(1e-3)

        @tf.function
        def step(rows, optimizer=optimizer):
            gradient = tf.IndexedSlices(
                tf.ones([tf.size(rows), 2]), rows, [7, 2]
            )
            if not isinstance(optimizer, LazyAdamW):
                gradient = tf.convert_to_tensor(gradient)
            optimizer.apply([gradient, tf.zeros([3])])

        for _ in range(first):
            step(tf.constant([0, 2]))
        start = table.numpy()[0]
        for _ in range(missed):
            step(tf.constant([2]))
        if optimizer is lazy[2]:
            optimizer.catch_up()
        moved.append((table.numpy()[0] - start)[0])
    assert moved[0] == pytest.approx(moved[1], rel=0.12)


def test_all_rows_catch_up_at_the_rate_that_they_missed(monkeypatch):
    monkeypatch.setattr(lazy_adamw, "_BLOCK", 3)
    (ours, dense, lazy), (theirs, same, _), step = make_late(weight_decay=0.02)

    def behind():
        return np.abs(ours.numpy() - theirs.numpy()).max(1)

    rng = np.random.default_rng(0)
    step(np.arange(7), rng.normal(size=[7, 2]), 1e-3)
    for number in range(40):
        # In the end there is no rate left to make up with.
        rate = 1e-3 * min(1, (39 - number) / 10)
        step(np.array([2]), rng.normal(size=[1, 2]), rate)
    before = behind()
    assert before.max() > 0.02
    lazy.catch_up()
    assert behind().max() < 1e-3
    np.testing.assert_allclose(dense, same, rtol=1e-5)
    # There is nothing more to make up for.
    first = [variable.numpy() for variable in (ours, *lazy.variables)]
    lazy.catch_up()
    for variable, expected in zip((ours, *lazy.variables), first, strict=True):
        np.testing.assert_array_equal(variable, expected)


def test_rows_catch_up_eagerly_too():
    (ours, *_, lazy), (theirs, *_), step = make_late(weight_decay=0.0)
    for rows in (np.arange(7), *[np.array([2])] * 9):
        step(rows, np.ones([len(rows), 2]), 1e-3)
    assert np.abs(ours.numpy() - theirs.numpy()).max() > 1e-3
    tf.config.run_functions_eagerly(True)
    try:
        lazy.catch_up()
    finally:
        tf.config.run_functions_eagerly(False)
    np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_other_rows_and_their_moments_stay_as_they_are():
    table, dense, optimizer = make(LazyAdamW)
    moments = [v for v in optimizer.variables if v.shape == (7, 2)]
    for variable in moments:
        variable.assign(np.full([7, 2], 0.5))
    before = table.numpy()
    train(table, dense, optimizer)
    others = np.setdiff1d(range(7), ROWS)
    np.testing.assert_array_equal(table.numpy()[others], before[others])
    assert len(moments) == 2
    for variable in moments:
        np.testing.assert_array_equal(variable.numpy()[others], 0.5)


def test_excluded_variables_are_not_decayed():
    table, dense, optimizer = make(LazyAdamW)
    optimizer.exclude_from_weight_decay([table])
    other = make(LazyAdamW, weight_decay=0.0)
    train(table, dense, optimizer)
    train(*other)
    np.testing.assert_array_equal(table, other[0])
    assert np.abs(dense.numpy() - other[1].numpy()).max() > 0.01


def test_two_devices_step_as_one():
    alone = make(LazyAdamW)
    train(*alone)
    alone[2].catch_up()
    strategy = make_strategy("mirrored")
    with strategy.scope():
        table, dense, optimizer = make(LazyAdamW)

    @tf.function
    def step(scale):
        def replica():
            # Row 5 for the first replica; 1, 1 and 3 for the other.
            context = tf.distribute.get_replica_context()
            first = tf.minimum(context.replica_id_in_sync_group, 1)
            start, stop = first, 1 + 3 * first
            factors = tf.range(1.0, 5.0)[start:stop]
            with tf.GradientTape() as tape:
                vectors = tf.gather(table.value, tf.constant(ROWS)[start:stop])
                loss = scale * tf.reduce_sum(factors[:, None] * vectors**2)
                loss += scale * tf.reduce_sum(dense**2) / 2
            optimizer.apply(tape.gradient(loss, [table, dense]))

        strategy.run(replica)

    for number in range(3):
        step(tf.constant(number + 1.0))
    optimizer.catch_up()
    for copy in table.value.values:
        np.testing.assert_allclose(copy, alone[0], rtol=1e-5)
    np.testing.assert_allclose(dense, alone[1], rtol=1e-5)
    for ours, theirs in zip(
        optimizer.variables, alone[2].variables, strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
