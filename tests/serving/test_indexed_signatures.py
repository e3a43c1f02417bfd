import numpy as np
import pytest
import tensorflow as tf

from tests.serving.runs import make_run, prepared
from tfrec.data.vocabulary import FILE_NAME, USERS
from tfrec.models.base.items import EXCLUDED
from tfrec.serving.indexed_signatures import IndexedSignatures
from tfrec.serving.item_index import ItemIndex
from tfrec.serving.partitions import partition
from tfrec.serving.signatures import Signatures

K = 3
# 12 items are few enough to ask for all kinds of them.
HISTORIES = [["item 1", "no such"], ["item 4", "item 2"], ["", ""]]
USER_IDS = ["u1", "nobody", "u2"]
POPULARITY = tf.nn.log_softmax(tf.constant([1.0, 5, 2, 2, 1, 0] * 2) / 3)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Exact signatures, and with an index of all and of one partition.

    Eager, not traced.
    """
    data = prepared(tmp_path_factory.mktemp("data"))
    model = make_run("fpmc", data).model
    folder, products = data.data_dir, model.products()
    vectors = products.vectors().numpy()
    parts = partition(vectors, vectors, 4)
    given = folder / FILE_NAME, POPULARITY, K, True, folder / USERS
    exact = Signatures(model, *given)
    # What `trace` makes a graph of.
    exact._score = model.score
    made = [exact]
    for probes in (len(parts.sizes), 1):
        index = ItemIndex(vectors, parts, probes)
        made.append(IndexedSignatures(index, model, *given))
    return made


def ask(signatures, name, allowed=(), denied=(), user=USER_IDS):
    rows = len(HISTORIES)
    inputs = {"history": HISTORIES}
    if name == "among":
        inputs |= {
            key: [list(items) or [""]] * rows
            for key, items in (("allowed", allowed), ("denied", denied))
        }
    if name != "recommend":
        inputs["user"] = user
    inputs = {key: tf.constant(value) for key, value in inputs.items()}
    answer = getattr(signatures, name)(**inputs)
    items = [[x.decode() for x in row] for row in answer["items"].numpy()]
    return items, answer["scores"].numpy()


def check_same(one, other):
    """Checks that lists are the same, and scores but for a number of a row."""
    assert one[0] == other[0]
    there = one[1] > EXCLUDED
    np.testing.assert_array_equal(there, other[1] > EXCLUDED)
    for a, b, mask in zip(one[1], other[1], there, strict=True):
        apart = (a - b)[mask]
        np.testing.assert_allclose(apart, apart[:1].repeat(len(apart)), 1e-4)


AMONG = [
    {},
    {"denied": ["item 2", "item 7", "item 8", "no such"]},
    {"denied": [f"item {n}" for n in range(1, 12)]},
    {"allowed": ["item 9", "item 3", "item 9", "item 4", "no such"]},
    {"allowed": ["item 9", "item 3", "item 5"], "denied": ["item 3"]},
    {"allowed": [f"item {n}" for n in range(12, 0, -1)]},
    {"allowed": ["no such"]},
]


@pytest.mark.parametrize("asked", AMONG)
def test_with_all_partitions_the_answers_are_the_exact_ones(asked, made):
    exact, indexed, _ = made
    names = ["among"] if asked else ["recommend", "for_user", "among"]
    for name in names:
        check_same(ask(indexed, name, **asked), ask(exact, name, **asked))


@pytest.mark.parametrize("asked", AMONG)
def test_with_one_partition_the_lists_are_as_long_and_as_clean(asked, made):
    exact, _, narrow = made
    items, scores = ask(narrow, "among", **asked)
    _, wanted = ask(exact, "among", **asked)
    np.testing.assert_array_equal(scores > EXCLUDED, wanted > EXCLUDED)
    allowed = asked.get("allowed") or [f"item {n}" for n in range(1, 13)]
    for row, history in zip(items, HISTORIES, strict=True):
        row = [item for item in row if item]
        assert len({*row}) == len(row)
        assert {*row} <= {*allowed} - {*history} - {*asked.get("denied", ())}


def test_with_one_partition_nobody_gets_what_is_in_the_history(made):
    for name in ("recommend", "for_user"):
        items, scores = ask(made[2], name)
        assert not {*items[1]} & {*HISTORIES[1]}
        assert (scores > EXCLUDED).all()


@pytest.mark.parametrize("asked", [each for each in AMONG if "allowed" in each])
def test_what_is_allowed_is_scored_whatever_is_probed(asked, made):
    exact, _, narrow = made
    check_same(ask(narrow, "among", **asked), ask(exact, "among", **asked))


def test_nobody_known_gets_the_popular_items_with_their_scores(made):
    exact, _, narrow = made
    for name in ("recommend", "for_user", "among"):
        found, wanted = (
            ask(each, name, denied=["item 2"], user=["", "", ""])
            for each in (narrow, exact)
        )
        assert found[0][2] == wanted[0][2]
        np.testing.assert_array_equal(found[1][2], wanted[1][2])


def test_the_history_is_found_where_it_may_be(made):
    _, indexed, _ = made
    indexed.exclude_history = False
    try:
        index = indexed.index
        items, _ = ask(indexed, "recommend")
        states = indexed._states(indexed._asked(tf.constant(HISTORIES))[0])
        best = tf.math.top_k(index.logits(states), K).indices[:2] + 1
        assert items[:2] == [[f"item {n}" for n in row] for row in best]
    finally:
        indexed.exclude_history = True
