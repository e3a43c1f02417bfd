"""Models trained on a sample of the items, and ranked in blocks of them."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.test_acvae import batch
from tests.models.test_acvae import model as acvae
from tests.models.test_vaser import model as vaser
from tfrec.batches import EvaluationBatch
from tfrec.errors import InputError
from tfrec.metrics.ranking import NEVER, target_ranks_in_blocks
from tfrec.models import ACVAEConfig, VASERConfig
from tfrec.training.checkpoints import Checkpoints, Progress

SAMPLED = {"softmax": "sampled", "softmax_samples": 5}
MAKERS = {
    "acvae": functools.partial(acvae, target_window=3),
    # Item vectors that are embeddings too.
    "vaser": functools.partial(vaser, cosine_scale=8.0),
}


@pytest.fixture(name="make", params=MAKERS.values(), ids=MAKERS)
def _make(request):
    return request.param


def tables(net):
    """Returns the variables with a row for each item."""
    sizes = (net.num_items, net.num_items + 1)
    return [v for v in net.trainable_variables if v.shape[0] in sizes]


def test_a_step_leaves_the_other_rows_of_the_item_tables(make):
    net = make(1000, **SAMPLED)
    before = [v.numpy() for v in tables(net)]
    assert len(before) >= 2
    tf.function(net.train_step)(batch())
    # 12 items in the batch, 5 in the sample, and the padding.
    for variable, old in zip(tables(net), before, strict=True):
        moved = np.abs(variable.numpy() - old).reshape(len(old), -1).max(1) > 0
        assert 5 <= moved.sum() <= 18, variable.path


def test_a_step_never_reads_an_item_table_as_a_whole(make):
    net = make(1000, **SAMPLED)
    handles = {id(v.value.handle) for v in tables(net)}
    handles |= {
        id(v.value.handle)
        for v in net.optimizer.variables
        if v.shape[:1] in ([1000], [1001])
    }
    graph = tf.function(net.train_step).get_concrete_function(batch()).graph
    captured = {id(inner): id(outer) for outer, inner in graph.captures}
    used = {
        operation.type
        for operation in graph.get_operations()
        for source in operation.inputs
        if captured.get(id(source)) in handles
    }
    assert used
    assert used <= {
        "ResourceGather",
        "ResourceScatterUpdate",
        "VariableShape",
    }


def test_training_on_samples_learns_to_follow_a_chain():
    keras.utils.set_random_seed(1)
    net = vaser(
        20, learning_rate=2e-2, embedding_dropout=0.1, dropout=0.1, **SAMPLED
    )
    starts = np.arange(40) % 10
    chains = (starts[:, None] + np.arange(9)) % 10 + 1
    data = tf.data.Dataset.from_tensors(batch(chains.tolist())).repeat(150)
    net.adapt(data.take(1))
    assert set(net.item_softmax.order.numpy()[:10]) == set(range(10))
    net.fit(data, verbose=0, shuffle=False)
    items, scores = net.recommend([[2, 3, 4], [8, 9, 10]], k=1)
    assert items[:, 0].tolist() == [5, 1]
    assert np.exp(scores).min() > 0.4


def test_checkpoints_keep_the_slots_and_the_order(tmp_path):
    net, other = vaser(**SAMPLED), vaser(**SAMPLED)
    data = tf.data.Dataset.from_tensors(batch())
    net.item_softmax.order_by(tf.range(15.0))
    net.fit(data, verbose=0)
    Checkpoints(tmp_path, net, Progress(step=1)).save("last")
    Checkpoints(tmp_path, other, Progress()).restore_newest()
    # The next samples are the same too.
    problem = tf.ones([1, 8]), tf.constant([[3]]), tf.ones([1])
    losses = [made.item_softmax.loss(*problem) for made in (net, other)]
    assert losses[0] == losses[1] != net.item_softmax.loss(*problem)
    assert other.item_softmax.order.numpy()[0] == 14
    np.testing.assert_array_equal(
        net.item_softmax.order, other.item_softmax.order
    )
    slots = net.optimizer.variables
    assert any(variable.path.endswith("last_step") for variable in slots)
    for ours, theirs in zip(slots, other.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(("make", "samples"), [(acvae, 0), (vaser, 3)])
def test_blocks_of_items_change_no_rank(make, samples):
    size = 10_007
    net = make(size, posterior_samples=samples)
    # Ties between all parts of the catalogue.
    rng = np.random.default_rng(0)
    for variable in tables(net):
        start = variable.shape[0] - size
        values = variable.numpy()
        kinds = rng.normal(size=[90, *values.shape[1:]])
        values[start:] = kinds[np.arange(size) % 90]
        variable.assign(values)
    history = tf.constant([[1, 2, 3], [4, 5, 0], [6, 0, 0]])
    targets = tf.constant([[4, size, 5000], [1, 2, size + 1], [9999, 0, 0]])

    def ranked(block):
        score = net.block_scores(history)
        return score(0, size), target_ranks_in_blocks(
            score, size, block, targets, history
        )

    scores, expected = tf.function(ranked)(size)
    for row in scores:
        assert len(np.unique(row)) == 90
    np.testing.assert_allclose(
        tf.nn.log_softmax(scores), net.score(history), atol=1e-4
    )
    for block in (777, 9001):
        _, found = tf.function(ranked)(block)
        np.testing.assert_array_equal(found, expected)
    assert expected[1, 2] == NEVER != expected[0, 1]


def test_evaluation_is_in_blocks_of_items(monkeypatch):
    data = EvaluationBatch.of(
        history=tf.constant([[1, 2, 3], [4, 5, 0], [6, 0, 0]]),
        targets=tf.constant([[4, 15, 9], [1, 2, 16], [15, 0, 0]]),
        excluded=tf.constant([[1, 2, 3], [4, 5, 0], [6, 15, 0]]),
    )
    batches = tf.data.Dataset.from_tensors(data)
    net = vaser()
    expected = net.evaluate(batches, verbose=0, return_dict=True)
    assert 0 < expected["recall@10"] < 1
    net.compile(evaluation_block_items=4, run_eagerly=True)
    widths = []
    score = net.block_scores(data.history)

    def watched(start, stop):
        widths.append(int(stop - start))
        return score(start, stop)

    monkeypatch.setattr(net, "block_scores", lambda history: watched)
    assert net.evaluate(batches, verbose=0, return_dict=True) == expected
    assert set(widths) == {4, 3}


def test_a_block_holds_an_item_at_least():
    with pytest.raises(InputError, match=r"at least 1\. Received: 0\."):
        vaser().compile(evaluation_block_items=0)


def test_a_number_of_samples_without_sampling_is_refused():
    with pytest.raises(InputError, match="nothing with --softmax=full"):
        VASERConfig(softmax_samples=500)


@pytest.mark.parametrize("config", [ACVAEConfig, VASERConfig])
def test_smoothing_over_all_items_and_a_sample_exclude_each_other(config):
    with pytest.raises(InputError, match="`--label_smoothing` must be 0"):
        config(softmax="sampled", label_smoothing=0.1)
