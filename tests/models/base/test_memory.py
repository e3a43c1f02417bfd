"""Tests of the memory beside a network: what it holds and what it does."""

import numpy as np
import pytest
import tensorflow as tf

from tests.models.small import chains
from tfrec.batches import Query
from tfrec.errors import InputError
from tfrec.models import VRM, GRU4Rec
from tfrec.models.base.transitions import memory_counting
from tfrec.models.configs.bert4rec import BERT4RecConfig

SETTINGS = {
    "embedding_dim": 8,
    "loss": "softmax",
    "memory": "learned",
    "max_length": 5,
}


@pytest.fixture(scope="module", params=[GRU4Rec, VRM])
def fitted(request):
    """A model after one step on 40 sequences, and before."""
    net = request.param(15, request.param.config_class(**SETTINGS))
    net.compile(run_eagerly=True)
    data = tf.data.Dataset.from_tensors(chains())
    net.fit(data, verbose=0, shuffle=False)
    return net


def test_fit_counts_the_sequences_first(fitted):
    batch = tf.nest.map_structure(lambda part: part.numpy(), chains())
    expected = memory_counting(fitted.config).count([batch], 15)
    assert len(expected.followers)
    for name, values in expected._asdict().items():
        np.testing.assert_allclose(getattr(fitted.memory, name), values)


def test_it_counts_all_sequences_the_same():
    net = GRU4Rec(15, GRU4Rec.config_class(**SETTINGS))
    batch = chains()
    old = batch._replace(recency=tf.linspace(0.1, 1.9, 40))
    net.adapt(tf.data.Dataset.from_tensors(old))
    plain = tf.nest.map_structure(lambda part: part.numpy(), batch)
    expected = memory_counting(net.config).count([plain], 15)
    np.testing.assert_allclose(net.memory.strengths, expected.strengths)


def test_a_step_learns_its_weight(fitted):
    gate = fitted.memory.gates(tf.zeros([1, 8]))
    assert abs(float(gate[0]) - fitted.config.memory_scale) > 1e-4


def test_scores_are_those_of_the_network_with_what_follows(fitted):
    # Longer than what is read.
    query = Query.of([[1, 2, 3, 4, 5, 6, 7], [9, 10, 0, 0, 0, 0, 0]])
    (hidden,) = fitted.hidden_draws(query)
    logits = fitted.item_logits.scores(hidden)
    read = tf.constant([[3, 4, 5, 6, 7], [9, 10, 0, 0, 0]])
    known = fitted.memory(read, hidden)
    assert float(tf.reduce_max(known)) > 1.0
    np.testing.assert_allclose(
        fitted.score(query),
        tf.nn.log_softmax(logits + known),
        rtol=1e-4,
        atol=1e-5,
    )


def test_bert4rec_takes_no_memory():
    with pytest.raises(InputError, match=r"memory` means nothing with BERT4R"):
        BERT4RecConfig(memory="fixed")
