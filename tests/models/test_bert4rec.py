"""Tests of BERT4Rec: what it masks, what a mask sees, and its loss."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.small import batch, chains
from tfrec.batches import Query
from tfrec.errors import InputError
from tfrec.models import BERT4Rec, BERT4RecConfig

SMALL = {
    "embedding_dim": 8,
    "embedding_deviation": 0.5,
    "hidden_units": 10,
    "blocks": 1,
    "max_length": 12,
}
ROWS = ((1, 2, 3, 4, 5), (6, 7, 8), (9, 10, 11, 12))
# The positions that tests mask.
PLACES = ((1, 4), (0,), (2, 3))


def model(num_items: int = 15, **changes) -> BERT4Rec:
    """Returns a small compiled model."""
    made = BERT4Rec(num_items, BERT4RecConfig(**{**SMALL, **changes}))
    made.compile()
    return made


def masked(net: BERT4Rec, rows=ROWS, places=PLACES) -> BERT4Rec:
    """Makes the model mask given places."""
    masks = np.zeros([len(rows), max(map(len, rows))], bool)
    for row, of_row in enumerate(places):
        masks[row, list(of_row)] = True
    net.draw_masks = lambda items: tf.constant(masks)
    return net


def filled_in(net: BERT4Rec, tokens: list[int], place: int) -> np.ndarray:
    """Returns log p(v | S') at a place, the head in numpy."""
    x = net.embedding.embeddings.numpy()[tokens]
    x = x + net.positions.embeddings.numpy()[: len(tokens)]
    x = net.read_norm(x[None])
    for block in net.blocks:
        x = block(x)
    w, b = (v.numpy() for v in net.to_vector.weights)
    x = x[0, place].numpy() @ w + b
    x = np.array([v * 0.5 * (1 + math.erf(v / 2**0.5)) for v in x])
    x = (x - x.mean()) / np.sqrt(x.var() + 1e-6)
    x = net.vector_norm.gamma.numpy() * x + net.vector_norm.beta.numpy()
    scores = net.embedding.embeddings.numpy()[1:16] @ x
    scores += net.item_logits.bias.numpy()
    return scores - np.log(np.sum(np.exp(scores)))


def shaken(net: BERT4Rec) -> BERT4Rec:
    """Moves what starts at 0 or 1, so that tests see it."""
    for v in (net.item_logits.bias, *net.vector_norm.weights):
        v.assign_add(tf.random.stateless_normal(v.shape, [1, 2]))
    return net


def test_the_loss_is_that_of_the_masked_items():
    """sum_m -log p(v_m | S'), sequence by sequence."""
    net = masked(shaken(model(blocks=2)))
    expected = 0.0
    for row, places in zip(ROWS, PLACES, strict=True):
        left = [
            net.mask if place in places else item
            for place, item in enumerate(row)
        ]
        for place in places:
            expected -= filled_in(net, left, place)[row[place] - 1]
    found = net.objective(batch(ROWS), training=False)["loss"]
    np.testing.assert_allclose(found, expected / 3, rtol=1e-4)


def test_to_predict_a_mask_is_appended():
    net = shaken(model())
    for history in ([], [3], [1, 2, 3, 4, 5]):
        expected = filled_in(net, [*history, net.mask], len(history))
        found = net.score(Query.of(tf.constant([history], tf.int32)))[0]
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_a_mask_does_not_see_its_own_item_and_sees_both_sides():
    net = masked(model())
    rows = np.array([[1, 2, 3, 4, 5]])
    masks = tf.constant([[False, False, True, False, False]])

    def at_the_mask(changed):
        items = rows.copy()
        for place in changed:
            items[0, place] += 5
        seen = []
        net.draw_masks = lambda items: masks
        net.vectors = lambda x, training=False: (
            seen.append(x) or BERT4Rec.vectors(net, x, training)
        )
        net.objective(batch(items.tolist()), training=False)
        return seen[0][0].numpy()

    before = at_the_mask([])
    np.testing.assert_array_equal(at_the_mask([2]), before)
    for place in (0, 1, 3, 4):
        assert np.abs(at_the_mask([place]) - before).max() > 1e-4, place


def test_with_the_history_excluded_a_mask_is_one_of_the_other_items():
    net = masked(shaken(model(exclude_history=True)))
    expected = 0.0
    for row, places in zip(ROWS, PLACES, strict=True):
        left = [
            net.mask if place in places else item
            for place, item in enumerate(row)
        ]
        for place in places:
            odds = np.exp(filled_in(net, left, place))
            others = [i for i in row if i != row[place]]
            rest = 1 - odds[np.array(others) - 1].sum()
            expected -= np.log(odds[row[place] - 1] / rest)
    found = net.objective(batch(ROWS), training=False)["loss"]
    np.testing.assert_allclose(found, expected / 3, rtol=1e-4)


ITEMS = tf.constant([[1] * 9, [2] * 3 + [0] * 6, [3] + [0] * 8, [0] * 9] * 2000)


def drawn(**changes) -> np.ndarray:
    """Returns masks of `ITEMS`, `[2000, 4, 9]`."""
    masks = model(**changes).draw_masks(ITEMS)
    return masks.numpy().reshape([2000, 4, 9])


def test_of_each_sequence_one_item_is_masked_at_least():
    masks = drawn(mask_probability=0.02, mask_last=0.0)
    assert (masks.sum(2)[:, :3] >= 1).all()
    # Where none was drawn any item, not always the same.
    np.testing.assert_allclose(masks[:, 0].mean(0), 0.125, atol=0.03)
    # Padding is never masked, nor is a sequence of none.
    assert not masks[:, 1, 3:].any()
    assert not masks[:, 3].any()


def test_items_are_masked_with_their_probability():
    masks = drawn(mask_probability=0.4, mask_last=0.0)
    # And one of nine where none was: 0.6^9 of the sequences.
    np.testing.assert_allclose(masks[:, 0].mean(), 0.4 + 0.6**9 / 9, atol=0.02)
    assert drawn(mask_probability=1.0, mask_last=0.0)[:, :2, :3].all()


def test_of_some_sequences_the_last_item_is_masked_alone():
    masks = drawn(mask_probability=1.0, mask_last=0.25)
    alone = masks.sum(2) == 1
    np.testing.assert_allclose(alone[:, :2].mean(0), 0.25, atol=0.04)
    assert masks[alone[:, 0], 0, 8].all()
    assert masks[alone[:, 1], 1, 2].all()
    assert masks[:, 2, 0].all()
    assert not masks[:, 3].any()


def test_a_sequence_without_items_costs_nothing():
    net = masked(model(), (*ROWS, ()), (*PLACES, ()))
    found = net.objective(batch((*ROWS, ())), training=False)["loss"]
    masked(net)
    expected = net.objective(batch(ROWS), training=False)["loss"]
    # Of the mean over sequences it has its share.
    np.testing.assert_allclose(found, expected * 3 / 4, rtol=1e-5)


def test_rows_longer_than_its_positions_are_refused():
    with pytest.raises(tf.errors.InvalidArgumentError, match="at most 4 items"):
        model(max_length=3).objective(batch(ROWS))


def test_targets_are_not_sets():
    with pytest.raises(InputError, match="`--target_window` means nothing"):
        BERT4RecConfig(target_window=2)


def test_training_learns_to_follow_a_chain():
    keras.utils.set_random_seed(1)
    net = model(
        10,
        embedding_dim=32,
        embedding_deviation=0.2,
        hidden_units=32,
        learning_rate=1e-2,
        mask_probability=0.3,
        embedding_dropout=0.0,
        dropout=0.0,
    )
    data = tf.data.Dataset.from_tensors(chains()).repeat(120)
    net.fit(data, verbose=0, shuffle=False)
    items, scores = net.recommend([[2, 3, 4], [8, 9, 10]], k=1)
    assert items[:, 0].tolist() == [5, 1]
    # Popularity gives it 1 / 10.
    assert np.exp(scores).min() > 0.5
