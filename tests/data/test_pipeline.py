import hashlib
import itertools
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.prepared import prepare_sequences
from tfrec.data import pipeline
from tfrec.data.shares import cut
from tfrec.errors import InputError
from tfrec.shapes import fixed_size
from tfrec.training.strategy import make_strategy


@pytest.fixture(scope="module")
def sequences():
    """Row i is i+1 (unique, so that it names its row), then noise."""
    rng = np.random.default_rng(3)
    return [
        [i + 1, *rng.integers(1, 500, rng.integers(1, 40)).tolist()]
        for i in range(500)
    ]


@pytest.fixture(scope="module")
def data(sequences, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    tails = [[501, 502][: i % 3] for i in range(len(sequences))]
    return prepare_sequences(
        folder, sequences, tails=tails, num_items=502, shards=3
    )


def batches(dataset):
    return list(dataset.as_numpy_iterator())


def rows(batch, name="items"):
    """The rows of a batch without their padding."""
    return [
        row[: np.count_nonzero(row)].tolist() for row in getattr(batch, name)
    ]


def all_rows(stream):
    return [row for batch in stream for row in rows(batch)]


def assert_same(stream, other):
    assert len(stream) == len(other)
    for batch, twin in zip(stream, other, strict=True):
        for column, other_column in zip(batch, twin, strict=True):
            np.testing.assert_array_equal(column, other_column)


def test_an_epoch_holds_every_sequence_once(data, sequences):
    steps = data.steps_per_epoch(batch_size=7)
    stream = batches(data.training(batch_size=7, max_length=50, epochs=2))
    assert len(stream) == 2 * steps
    for epoch in (stream[:steps], stream[steps:]):
        assert sorted(all_rows(epoch)) == sequences


@pytest.mark.parametrize("batch_size", [1, 2, 7, 64, 499, 1000])
def test_batches_are_cut_as_planned(data, batch_size):
    plan = cut(500, batch_size)
    planned = [
        window * (i + 1) // count - window * i // count
        for window, count in zip(plan.windows, plan.batches, strict=True)
        for i in range(count)
    ]
    dataset = data.training(batch_size=batch_size)
    sizes = [len(batch.items) for batch in batches(dataset)]
    assert sorted(sizes) == sorted(planned)
    assert len(sizes) == data.steps_per_epoch(batch_size)
    assert dataset.cardinality() == data.steps_per_epoch(batch_size)


def test_a_step_beyond_the_last_is_refused(data):
    steps = data.steps_per_epoch(7)
    ended = data.training(batch_size=7, epochs=2, first_step=2 * steps)
    assert not batches(ended)
    with pytest.raises(InputError, match=rf"at most {2 * steps}, .* 2 epochs"):
        data.training(batch_size=7, epochs=2, first_step=2 * steps + 1)


def test_the_order_repeats_with_the_seed_and_with_nothing_else(data):
    first = batches(data.training(seed=0, epochs=2))
    # Neither the global seed nor another iterator may move it.
    tf.random.set_seed(99)
    assert_same(first, batches(data.training(seed=0, epochs=2)))
    tf.random.set_seed(0)
    again = data.training(seed=0, epochs=2)
    assert_same(first, batches(again))
    assert_same(first, batches(again))


def test_the_order_differs_between_epochs_and_seeds(data):
    steps = data.steps_per_epoch(64)
    stream = batches(data.training(seed=0, epochs=2))
    other = batches(data.training(seed=1, epochs=2))
    epochs = [stream[:steps], stream[steps:], other[:steps], other[steps:]]
    # As sets of batches: the rows that meet must differ, not only the order.
    met = [{frozenset(map(tuple, rows(b))) for b in e} for e in epochs]
    for one, two in itertools.combinations(met, 2):
        assert not one & two


def test_each_reading_is_the_next_epoch_unless_epochs_are_given(data):
    steps = data.steps_per_epoch(64)
    explicit = batches(data.training(seed=3, epochs=3))
    stream = data.training(seed=3)
    assert stream.cardinality() == steps
    for epoch in range(3):
        expected = explicit[epoch * steps : (epoch + 1) * steps]
        assert_same(batches(stream), expected)
    # Another dataset begins again.
    assert_same(batches(data.training(seed=3)), explicit[:steps])
    rest = data.training(seed=3, first_step=2)
    for _ in range(2):
        assert_same(batches(rest), explicit[2:steps])


@pytest.mark.parametrize("distribution", ["none", "mirrored"])
def test_fit_shuffles_anew_in_each_epoch(data, distribution):
    class Watch(keras.Model):
        """Keeps the first item of each row, which names it."""

        def train_step(self, batch):
            tf.numpy_function(
                lambda items: seen.append(items[:, 0].tolist()),
                [batch.items],
                [],
            )
            return {"loss": tf.constant(0.0)}

    seen = []
    steps = data.steps_per_epoch(64)
    with make_strategy(distribution).scope():
        model = Watch()
        model.built = True
        model.compile(loss=None)
    model.fit(data.training(seed=3), epochs=2, shuffle=False, verbose=0)
    rows = [row for part in seen for row in part]
    expected = batches(data.training(seed=3, epochs=2))
    for epoch in (0, 1):
        own = expected[epoch * steps : (epoch + 1) * steps]
        assert sorted(rows[epoch * 500 : (epoch + 1) * 500]) == sorted(
            b.items[i, 0] for b in own for i in range(len(b.items))
        )
    if distribution == "none":
        assert rows == [
            item for b in expected for item in b.items[:, 0].tolist()
        ]
    else:
        assert rows[:500] != rows[500:]


def test_a_log_beyond_the_buffer_is_mixed_as_long_as_a_shard_fits(
    sequences, tmp_path, monkeypatch
):
    data = prepare_sequences(tmp_path, sequences, shards=10)
    # About 80 records; a shard has 50, the log 500.
    monkeypatch.setattr(pipeline, "_SHUFFLE_BYTES", 20_000)
    stream = batches(data.training(batch_size=1, max_length=50, epochs=2))
    for epoch in (stream[:500], stream[500:]):
        assert sorted(all_rows(epoch)) == sequences
    # A row begins with its place in the log; that of a random one is 250 on
    # the mean, with a deviation of 144.
    places = [row[0] for row in all_rows(stream[:96])]
    assert 200 < np.mean(places) < 300
    assert np.std(places) > 120


def test_padding_is_only_at_the_end_and_to_a_fixed_length(data):
    for batch in batches(data.training(batch_size=7)):
        items = batch.items
        assert items.dtype == np.int32
        lengths = np.count_nonzero(items, axis=1)
        assert lengths.min() >= 2
        assert items.shape[1] == 1 + fixed_size(lengths.max() - 1)
        valid = np.arange(items.shape[1]) < lengths[:, None]
        np.testing.assert_array_equal(items > 0, valid)


def test_long_sequences_keep_their_newest_items(data, sequences):
    stream = batches(data.training(max_length=10))
    kept = sorted(row[-11:] for row in sequences)
    assert sorted(all_rows(stream)) == kept
    assert max(batch.items.shape[1] for batch in stream) == 11


@pytest.mark.parametrize("fit_on", ["train", "all"])
def test_windows_predict_every_item_once(data, sequences, fit_on):
    stream = batches(
        data.training(7, max_length=10, fit_on=fit_on, windows=True)
    )
    assert len(stream) == data.steps_per_epoch(7, fit_on)
    found = {}
    for batch in stream:
        np.testing.assert_allclose(batch.weight, batch.weight[0])
        assert batch.items.shape[1] <= 11
        for user, row in zip(batch.user, rows(batch), strict=True):
            found.setdefault(int(user), []).append(row)
    for i, sequence in enumerate(sequences):
        whole = sequence + ([501, 502][: i % 3] if fit_on == "all" else [])
        pieces = found[i + 1]
        # Laid end to end, each from the last item of the one before.
        pieces.sort(key=len, reverse=True)
        while len(pieces) > 1:
            later = next(p for p in pieces if p == whole[-len(p) :])
            earlier = whole[: len(whole) - len(later) + 1]
            pieces.remove(later)
            assert len(later) == 11
            whole = earlier
        assert pieces == [whole]


def test_short_sequences_have_one_window(data):
    plain = batches(data.training(7, max_length=50))
    assert_same(plain, batches(data.training(7, max_length=50, windows=True)))


def test_rows_of_a_batch_have_like_lengths(data):
    stream = batches(data.training(batch_size=16, max_length=100))
    spread = [np.ptp(np.count_nonzero(batch.items, axis=1)) for batch in stream]
    # Lengths are 2 to 40; 32 batches share that range.
    assert np.mean(spread) < 3
    # Sorted in a window, the batches themselves come in any order.
    widths = [batch.items.shape[1] for batch in stream]
    assert widths != sorted(widths)


def test_fit_on_all_appends_the_validation_tail(data, sequences):
    stream = batches(data.training(max_length=100, fit_on="all"))
    expected = [row + [501, 502][: i % 3] for i, row in enumerate(sequences)]
    assert sorted(all_rows(stream)) == sorted(expected)


def test_weights_of_a_global_batch_sum_to_one(data):
    for batch in batches(data.training(batch_size=7)):
        count = len(batch.items)
        assert batch.weight.dtype == np.float32
        np.testing.assert_array_equal(
            batch.weight, np.full(count, np.float32(1) / np.float32(count))
        )


@pytest.mark.parametrize("windows", [False, True])
@pytest.mark.parametrize(
    ("workers", "buffer"), [(1, 1 << 20), (2, 1 << 20), (1, 20_000)]
)
def test_a_sequence_weighs_by_its_place_in_the_log(
    data, windows, workers, buffer, monkeypatch
):
    monkeypatch.setattr(pipeline, "_SHUFFLE_BYTES", buffer)
    found = {}
    for index in range(workers):
        context = tf.distribute.InputContext(workers, index, workers)
        settings = {"max_length": 20, "windows": windows, "epochs": 1}
        # What was made with another buffer is not to be used again.
        settings["seed"] = buffer
        settings["input_context"] = context if workers > 1 else None
        plain = batches(data.training(7, **settings))
        stream = batches(data.training(7, recency=0.25, **settings))
        for one, other in zip(plain, stream, strict=True):
            np.testing.assert_array_equal(one.items, other.items)
            relative = other.weight / one.weight
            for user, weight in zip(one.user, relative, strict=True):
                found.setdefault(int(user), []).append(weight)
    # Users are numbered in the order of the log, which has 500.
    expected = np.exp(np.arange(500) / 500 / 0.25)
    expected /= expected.mean()
    assert sorted(found) == list(range(1, 501))
    for user, weights in found.items():
        np.testing.assert_allclose(weights, expected[user - 1], rtol=1e-4)


@pytest.mark.parametrize("recency", [1e-300, 1e-5, 0.3, 1.0, 1e9, np.inf])
def test_weights_by_age_have_the_mean_one(recency):
    weights = pipeline.recency_weights(np.arange(18), 18, recency).numpy()
    assert np.all(np.diff(weights) >= 0)
    np.testing.assert_allclose(weights.mean(), 1.0, rtol=1e-4)


def test_the_validation_comes_last_in_the_log(tmp_path):
    sessions = [[i + 1, 40] for i in range(30)]
    data = prepare_sequences(
        tmp_path,
        sessions[:20],
        validation=[(session, []) for session in sessions[20:]],
        num_items=40,
        shards=3,
        protocol="next_click",
    )
    (batch,) = batches(data.training(64, fit_on="all", recency=0.5))
    assert sorted(batch.items[:, 0]) == list(range(1, 31))
    by_place = batch.weight[np.argsort(batch.items[:, 0])]
    np.testing.assert_allclose(
        by_place[1:] / by_place[:-1], np.exp(1 / 30 / 0.5), rtol=1e-5
    )


def test_a_row_is_alone_only_if_the_data_has_one(tmp_path):
    three = prepare_sequences(tmp_path / "three", [[1, 2]] * 3)
    assert [len(b.items) for b in batches(three.training(2))] == [3]
    one = prepare_sequences(tmp_path / "one", [[1, 2]])
    assert [len(b.items) for b in batches(one.training(2))] == [1]


def test_evaluation_gives_history_targets_and_exclusions(tmp_path):
    pairs = [([1, 2, 1, 3], [4, 5, 4]), ([3, 3], [6]), ([2] * 300, [1, 9])]
    data = prepare_sequences(
        tmp_path, [[1, 2]], validation=pairs[:1], test=pairs
    )
    (batch,) = batches(data.evaluation("test"))
    # Shortest first; the whole history, whatever its length.
    assert rows(batch, "history") == [[3, 3], [1, 2, 1, 3], [2] * 300]
    assert rows(batch, "targets") == [[6], [4, 5], [1, 9]]
    assert rows(batch, "excluded") == [[3], [1, 2, 3], [2]]
    assert {part.dtype for part in batch} == {np.dtype("int32")}
    (batch,) = batches(data.evaluation("validation"))
    assert rows(batch, "targets") == [[4, 5]]


def test_evaluation_reads_every_record_once_in_a_fixed_order(tmp_path):
    pairs = [([i + 1] * (1 + i % 5), [i + 1]) for i in range(400)]
    data = prepare_sequences(tmp_path, [[1, 2]], test=pairs, shards=3)
    stream = batches(data.evaluation("test", batch_size=3))
    assert_same(stream, batches(data.evaluation("test", batch_size=3)))
    seen = [row[0] for batch in stream for row in rows(batch, "targets")]
    assert sorted(seen) == list(range(1, 401))


def test_replicas_share_a_batch_and_its_weights(data):
    strategy = make_strategy("mirrored")
    whole = batches(data.training(batch_size=7, epochs=2))
    distributed = strategy.experimental_distribute_dataset(
        data.training(batch_size=7, epochs=2)
    )
    count = 0
    for batch, expected in zip(distributed, whole, strict=True):
        for name in ("items", "weight"):
            parts = strategy.experimental_local_results(getattr(batch, name))
            assert len(parts) == 2
            np.testing.assert_array_equal(
                np.concatenate(parts), getattr(expected, name)
            )
        count += 1
    assert count == 2 * data.steps_per_epoch(7)


def test_the_order_is_the_same_in_another_process(data):
    code = (
        "import sys, hashlib; from tfrec.data import PreparedDataset\n"
        "digest = hashlib.sha256()\n"
        "data = PreparedDataset.open(sys.argv[1])\n"
        "for b in data.training(8, epochs=2).as_numpy_iterator():\n"
        "    digest.update(b.items.tobytes())\n"
        "print(digest.hexdigest())"
    )
    command = [sys.executable, "-c", code, str(data.data_dir)]
    other = subprocess.run(command, capture_output=True, text=True, check=True)
    digest = hashlib.sha256()
    for batch in data.training(8, epochs=2).as_numpy_iterator():
        digest.update(batch.items.tobytes())
    assert other.stdout.strip() == digest.hexdigest()
