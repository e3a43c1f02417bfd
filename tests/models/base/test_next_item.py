"""Models that predict the next item: their losses, and ranks in blocks."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.small import acvae, batch, chains, vaser
from tfrec.batches import EvaluationBatch, Query
from tfrec.errors import InputError
from tfrec.layers.losses import Histories, Targets
from tfrec.metrics.ranking import NEVER, target_ranks_in_blocks
from tfrec.models import (
    ACVAEConfig,
    GRU4Rec,
    GRU4RecConfig,
    VASERConfig,
)
from tfrec.models.configs.next_item import NextItemConfig
from tfrec.training.checkpoints import Checkpoints, Progress

SAMPLED = {"loss": "sampled_softmax", "negatives": 5}
OTHERS = ("bpr_max", "top1_max", "binary", "gbce")
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
    net.train_step(batch())
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
    data = tf.data.Dataset.from_tensors(chains()).repeat(150)
    net.fit(data, verbose=0, shuffle=False)
    # `fit` has counted the items before.
    order = net.item_loss.sampler.order.numpy()
    assert set(order[:10]) == set(range(10))
    items, scores = net.recommend([[2, 3, 4], [8, 9, 10]], k=1)
    assert items[:, 0].tolist() == [5, 1]
    assert np.exp(scores).min() > 0.4


@pytest.mark.parametrize(
    "loss",
    [
        "bpr_max",
        "gbce",
        pytest.param("top1_max", marks=pytest.mark.long),
        pytest.param("binary", marks=pytest.mark.long),
    ],
)
def test_every_loss_learns_to_follow_a_chain(loss):
    keras.utils.set_random_seed(1)
    net = vaser(
        20,
        learning_rate=2e-2,
        embedding_dropout=0.0,
        dropout=0.0,
        encoder="gru",
        flows=0,
        loss=loss,
        negatives=8,
    )
    data = tf.data.Dataset.from_tensors(chains()).repeat(150)
    net.fit(data, verbose=0, shuffle=False)
    items, _ = net.recommend([[2, 3, 4], [8, 9, 10]], k=1)
    assert items[:, 0].tolist() == [5, 1]


@pytest.mark.parametrize("loss", [*OTHERS, "top1", "bpr"])
def test_no_loss_on_draws_steps_the_rows_that_it_did_not_read(loss):
    net = vaser(1000, loss=loss, negatives=5)
    before = [v.numpy() for v in tables(net)]
    net.train_step(batch())
    read = 12 + 5 * (9 if loss in ("binary", "gbce", "bpr") else 1)
    for variable, old in zip(tables(net), before, strict=True):
        moved = np.abs(variable.numpy() - old).reshape(len(old), -1).max(1) > 0
        assert 5 <= moved.sum() <= read + 5, variable.path


def test_first_embeddings_and_the_optimizer_follow_their_settings():
    net = vaser(1000, embedding_deviation=0.3, adam_beta_2=0.9)
    assert np.std(net.embedding.embeddings) == pytest.approx(0.3, rel=0.05)
    assert net.optimizer.beta_2 == 0.9
    net = vaser(1000, item_bias=False)
    assert np.std(net.embedding.embeddings) == pytest.approx(8**-0.5, rel=0.05)
    assert net.optimizer.beta_2 == 0.999
    assert "item_logits/bias" not in {v.path for v in net.trainable_variables}


def test_old_squares_must_outlive_the_moves_that_rows_make_up_for():
    GRU4RecConfig(adam_beta_2=0.8)
    GRU4RecConfig(adam_beta_2=0.9, loss="bpr")
    with pytest.raises(InputError, match=r"`--adam_beta_2`.*Received: 0\.89"):
        GRU4RecConfig(adam_beta_2=0.89, loss="bpr")


def test_states_have_the_dropout_of_what_is_compared_with_the_items():
    net = GRU4Rec(9, GRU4RecConfig(embedding_dim=8, decoder_dropout=0.5))
    states = tf.ones([50, 8])
    np.testing.assert_array_equal(net.decode_states(states), states)
    dropped = net.decode_states(states, training=True).numpy()
    assert set(np.unique(dropped)) == {0.0, 2.0}


def test_a_window_of_targets_is_weighed_by_the_decay():
    plain, net = (
        vaser(target_window=3),
        vaser(target_window=3, target_decay=0.2),
    )
    net.set_weights(plain.get_weights())
    data = batch()
    windows = [[[2, 3, 4], [3, 4, 5], [4, 5, 0], [5, 0, 0]]]
    windows.append([[7, 8, 0], [8, 0, 0]])
    windows.append([[10, 11, 12], [11, 12, 0], [12, 0, 0]])
    for made, decay in ((plain, 1.0), (net, 0.2)):
        made.draw_noise = lambda shape: tf.zeros([*tf.unstack(shape), 4])
        found = made.objective(data, training=False)["reconstruction"]
        states = made.states(data.query)
        latent = made.posterior(states, None).latent
        log_p = made.item_logits(made.decode_states(latent)).numpy()
        expected = 0.0
        for row, positions in enumerate(windows):
            for position, window in enumerate(positions):
                shares = decay ** np.arange(3) * (np.array(window) > 0)
                for item, share in zip(window, shares, strict=True):
                    surprise = -log_p[row, position, item - 1]
                    expected += share / shares.sum() * surprise / 3
        np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("loss", ["binary", "gbce"])
def test_no_item_of_the_sequence_is_a_negative(loss, monkeypatch):
    net = vaser(loss=loss, negatives=5)
    seen = []

    def total(logits, hidden, targets, histories):
        every = tf.tile(tf.range(15)[None], [len(targets.weights), 1])
        held = histories.hold(every).numpy()[targets.weights > 0]
        seen.extend(set(np.flatnonzero(row) + 1) for row in held)
        return tf.constant(0.0)

    monkeypatch.setattr(net.item_loss, "total", total)
    net.objective(batch())
    # The last item of a sequence, which is read nowhere, included.
    sequences = [{1, 2, 3, 4, 5}] * 4 + [{6, 7, 8}] * 2 + [{9, 10, 11, 12}] * 3
    assert seen == sequences


def test_checkpoints_keep_the_slots_and_the_order(tmp_path):
    net, other = vaser(**SAMPLED), vaser(**SAMPLED)
    popular = batch([[15, 15, 15, 2], [6, 7, 15], [9, 10, 11, 12]])
    net.fit(tf.data.Dataset.from_tensors(popular), verbose=0)
    Checkpoints(tmp_path, net, Progress(step=1)).save("last")
    Checkpoints(tmp_path, other, Progress()).restore_newest()
    # The next samples are the same too.
    nothing = Histories(tf.constant([[-1]]), tf.constant([[0, 0]], tf.int64))
    targets = Targets.of(tf.constant([[3]]), tf.ones([1]))

    def loss(made):
        hidden = tf.ones([1, 8])
        return made.item_loss.total(made.item_logits, hidden, targets, nothing)

    losses = [loss(made) for made in (net, other)]
    assert losses[0] == losses[1] != loss(net)
    orders = [made.item_loss.sampler.order.numpy() for made in (net, other)]
    assert orders[1][0] == 14
    np.testing.assert_array_equal(*orders)
    assert not other.needs_adapt
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
    query = Query.of([[1, 2, 3], [4, 5, 0], [6, 0, 0]])
    targets = tf.constant([[4, size, 5000], [1, 2, size + 1], [9999, 0, 0]])

    def ranked(block):
        score = net.block_scores(query)
        return score(0, size), target_ranks_in_blocks(
            score, size, block, targets, query.history
        )

    scores, expected = tf.function(ranked)(size)
    for row in scores:
        assert len(np.unique(row)) == 90
    np.testing.assert_allclose(
        tf.nn.log_softmax(scores), net.score(query), atol=1e-4
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
    score = net.block_scores(data.query)

    def watched(start, stop):
        widths.append(int(stop - start))
        return score(start, stop)

    monkeypatch.setattr(net, "block_scores", lambda query: watched)
    assert net.evaluate(batches, verbose=0, return_dict=True) == expected
    assert set(widths) == {4, 3}


def test_a_block_holds_an_item_at_least():
    with pytest.raises(InputError, match=r"at least 1\. Received: 0\."):
        vaser().compile(evaluation_block_items=0)


def test_a_start_at_popularity_needs_biases():
    counts = tf.constant([9.0, *[0.0] * 999])
    for given, bias in ((True, np.log(10)), (False, 0.0)):
        net = vaser(1000, item_bias=given)
        # As it is by default in some models.
        vars(net.config)["start_at_popularity"] = True
        assert net.counts_items == given
        net.take_counts(counts)
        np.testing.assert_allclose(net.item_logits.bias[0], bias, rtol=0.01)


@pytest.mark.parametrize(
    ("wrong", "choice"),
    [
        ({"negatives": 500}, "--loss=softmax"),
        ({"calibration": 0.5, "loss": "binary"}, "--loss=binary"),
        ({"score_penalty": 0.5}, "--loss=softmax"),
        ({"score_elu": 0.5, "loss": "sampled_softmax"}, "--loss=sampled_so"),
        ({"sampling_power": 0.5, "loss": "bpr"}, "--loss=bpr"),
        ({"matmul_dtype": "bfloat16", "loss": "gbce"}, "--loss=gbce"),
        ({"target_decay": 0.5}, "--target_window=1"),
        (
            {"start_at_popularity": True, "item_bias": False},
            "--noitem_bias",
        ),
    ],
)
def test_a_setting_that_the_loss_does_not_read_is_refused(wrong, choice):
    name = next(iter(wrong))
    with pytest.raises(InputError, match=f"`--{name}` means nothing.*{choice}"):
        NextItemConfig(**wrong)


@pytest.mark.parametrize("config", [ACVAEConfig, VASERConfig])
def test_smoothing_over_all_items_and_a_sample_exclude_each_other(config):
    with pytest.raises(InputError, match="`--label_smoothing` means nothing"):
        config(loss="sampled_softmax", label_smoothing=0.1)


@pytest.mark.parametrize(
    ("loss", "draws"),
    [("softmax", 0), ("sampled_softmax", 1000), ("binary", 1), ("gbce", 256)],
)
def test_each_loss_draws_as_many_as_it_needs_by_default(loss, draws):
    assert NextItemConfig(loss=loss).draws == draws
    if draws:
        assert NextItemConfig(loss=loss, negatives=7).draws == 7
