"""Batches of several workers, each made in this process."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, reject
from hypothesis import strategies as st

from tests.prepared import prepare_sequences
from tests.properties import examples
from tfrec.data.shares import cut, share_of, whole_shares
from tfrec.errors import InputError


@pytest.fixture(scope="module")
def sequences():
    """Row i begins with i + 1, its name; 200 rows of 2 to 30 items."""
    rng = np.random.default_rng(3)
    return [
        [i + 1, *rng.integers(1, 200, rng.integers(1, 30)).tolist()]
        for i in range(200)
    ]


@pytest.fixture(scope="module")
def data(sequences, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    return prepare_sequences(folder, sequences, shards=5)


@pytest.fixture(scope="module")
def small(sequences, tmp_path_factory):
    """40 rows, some with a tail for the validation."""
    folder = tmp_path_factory.mktemp("small")
    tails = [[1, 2][: i % 3] for i in range(40)]
    return prepare_sequences(
        folder, sequences[:40], tails=tails, num_items=200, shards=3
    )


def contexts(workers, replicas):
    """One for each worker, of so many replicas."""
    return [
        tf.distribute.InputContext(workers, index, workers * replicas)
        for index in range(workers)
    ]


def job(data, workers, replicas=1, **options):
    """Returns the batches of each step: [step][worker][replica]."""
    options = {"batch_size": 16, "max_length": 50, **options}
    streams = []
    for context in contexts(workers, replicas):
        dataset = data.training(**options, input_context=context)
        stream = list(dataset.as_numpy_iterator())
        assert len(stream) == dataset.cardinality()
        streams.append(
            [stream[i : i + replicas] for i in range(0, len(stream), replicas)]
        )
    return list(zip(*streams, strict=True))


def rows(batch):
    return [row[row > 0].tolist() for row in batch.items]


def rows_of(worker_batches):
    return [row for batch in worker_batches for row in rows(batch)]


def test_windows_and_batches_differ_by_at_most_one_row():
    for records, batch_size in itertools.product(
        [*range(1, 130), 1000, 6034], [1, 2, 3, 4, 7, 64]
    ):
        plan = cut(records, batch_size)
        assert sum(plan.windows) == records
        assert max(plan.windows) - min(plan.windows) <= 1
        for window, count in zip(plan.windows, plan.batches, strict=True):
            smallest, rest = divmod(window, count)
            largest = smallest + (rest > 0)
            assert largest <= max(batch_size, 3 if batch_size == 2 else 0)
            assert smallest > 1 or records == 1 or batch_size == 1


# Shards that divide evenly, that do not, fewer than workers; a small batch
# makes several windows.
@pytest.mark.parametrize(
    "workers, replicas, batch_size",
    [(5, 1, 16), (2, 2, 16), (3, 1, 4), (7, 1, 64)],
)
def test_workers_together_read_each_record_once_an_epoch(
    data, sequences, workers, replicas, batch_size
):
    steps = data.steps_per_epoch(batch_size)
    found = job(data, workers, replicas, batch_size=batch_size, epochs=2)
    assert len(found) == 2 * steps
    for epoch in (found[:steps], found[steps:]):
        seen = [row for step in epoch for each in step for row in rows_of(each)]
        assert sorted(seen) == sequences
        shares = [
            sum(len(rows_of(step[worker])) for step in epoch)
            for worker in range(workers)
        ]
        assert max(shares) - min(shares) <= 1
    for step in found:
        counts = [len(b.items) for each in step for b in each]
        # Each replica rounds for itself, up to one row.
        assert sum(counts) < batch_size + workers * replicas
        assert max(counts) - min(counts) <= 2
        weights = np.concatenate([b.weight for each in step for b in each])
        np.testing.assert_array_equal(
            weights, np.float32(1) / np.float32(sum(counts))
        )


def test_a_worker_reads_whole_shards_and_others_each_epoch(sequences, tmp_path):
    # Shards of 40 and 39 records, of every fifth.
    data = prepare_sequences(tmp_path, sequences[:198], shards=5)
    found = job(data, 5, epochs=2)
    steps = len(found) // 2
    first, second = (
        [
            {row[0] % 5 for step in epoch for row in rows_of(step[worker])}
            for worker in range(5)
        ]
        for epoch in (found[:steps], found[steps:])
    )
    assert all(len(shards) == 1 for shards in first + second)
    assert first != second


def test_shares_end_where_shards_do():
    shuffled = np.random.default_rng(0).permutation(12).astype(np.int32)
    for workers, longer in itertools.product([1, 2, 3, 4, 6, 12], range(12)):
        counts = [8 + (number < longer) for number in range(12)]
        shards = whole_shares(tf.constant(shuffled), counts, workers).numpy()
        assert sorted(shards) == [*range(12)]
        ends = np.cumsum([counts[shard] for shard in shards])
        share = share_of(sum(counts), [1], contexts(workers, 1)[0])
        assert set(np.cumsum(share.counts)) <= set(ends)
        # A worker's shards come in the order that they had.
        for mine in np.split(shards, workers):
            places = [list(shuffled).index(shard) for shard in mine]
            assert places == sorted(places)
    for counts in ([8] * 13, [7, 9] * 6):
        shards = tf.random.shuffle(tf.range(len(counts)))
        assert whole_shares(shards, counts, 2) is shards


def test_workers_have_sequences_of_like_length_in_a_step(data):
    widths = np.array(
        [[each[0].items.shape[1] for each in step] for step in job(data, 2)]
    )
    assert np.abs(widths[:, 0] - widths[:, 1]).mean() < 3
    assert widths[:, 0].std() > 6


@examples(3)
@given(data_=st.data())
def test_property_resuming_gives_exactly_the_remaining_batches(small, data_):
    draw = data_.draw
    workers, replicas = draw(st.integers(1, 4)), draw(st.integers(1, 2))
    least = min(2, workers * replicas) * workers * replicas
    options = {
        "batch_size": draw(st.integers(least, 50)),
        "max_length": draw(st.integers(1, 30)),
        "epochs": draw(st.integers(1, 3)),
        "seed": draw(st.integers(0, 2**31)),
        "fit_on": draw(st.sampled_from(["train", "all"])),
        "windows": draw(st.booleans()),
        "input_context": draw(st.sampled_from(contexts(workers, replicas))),
    }
    total = options["epochs"] * small.steps_per_epoch(options["batch_size"])
    step = draw(st.integers(0, total))
    try:
        whole = small.training(**options)
    except InputError:
        reject()  # Some device would have no row.
    resumed = small.training(**options, first_step=step)
    assert whole.cardinality() == total * replicas
    assert resumed.cardinality() == (total - step) * replicas
    expected = [*whole.as_numpy_iterator()][step * replicas :]
    for batch, other in zip(resumed.as_numpy_iterator(), expected, strict=True):
        for column, twin in zip(batch, other, strict=True):
            np.testing.assert_array_equal(column, twin)


def test_one_worker_alone_has_the_batches_of_none(data):
    alone = data.training(16, input_context=contexts(1, 1)[0])
    for batch, twin in zip(alone, data.training(16), strict=True):
        np.testing.assert_array_equal(batch.items, twin.items)
        np.testing.assert_array_equal(batch.weight, twin.weight)


def test_a_device_without_a_row_is_refused(data):
    with pytest.raises(InputError, match="each of 8 devices a sequence of"):
        data.training(7, input_context=contexts(4, 2)[0])
