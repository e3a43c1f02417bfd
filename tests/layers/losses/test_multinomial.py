"""The multinomial likelihood of a bag against its formula."""

import collections

import numpy as np
import tensorflow as tf

from tfrec.layers.item_logits import ItemLogits
from tfrec.layers.losses import multinomial_loss

BAGS = [[3, 1, 6, 3], [5, 0, 2, 0], [0, 0, 0, 0]]


def test_the_loss_is_its_formula():
    logits = ItemLogits(6)
    logits.build((None, 4))
    logits.bias.assign(tf.random.normal([6]))
    hidden, weights = tf.random.normal([3, 4]), np.array([0.5, 2.0, 9.0])
    scores = hidden.numpy().astype(float) @ logits.own_kernel.numpy().T
    scores += logits.bias.numpy()
    expected = 0.0
    for row, bag in enumerate(BAGS):
        softmax = np.exp(scores[row]) / np.exp(scores[row]).sum()
        for item, times in collections.Counter(bag).items():
            if item:
                log_p = np.log(softmax[item - 1])
                expected -= weights[row] * times * log_p
    received = multinomial_loss(
        logits, hidden, tf.constant(BAGS), tf.constant(weights, tf.float32)
    )
    np.testing.assert_allclose(received, expected, rtol=1e-5)


def test_the_gradient_of_a_row_is_its_softmax_less_its_items():
    logits = ItemLogits(6)
    logits.build((None, 4))
    hidden, weights = tf.random.normal([3, 4]), tf.constant([0.5, 2.0, 9.0])
    with tf.GradientTape() as tape:
        loss = multinomial_loss(logits, hidden, tf.constant(BAGS), weights)
    [found] = tape.gradient(loss, [logits.bias.value])
    softmax = np.exp(logits(hidden))
    counts = np.array([[1, 0, 2, 0, 0, 1], [0, 1, 0, 0, 1, 0], [0] * 6])
    each = counts.sum(1, keepdims=True) * softmax - counts
    np.testing.assert_allclose(
        found, weights.numpy() @ each, rtol=1e-4, atol=1e-6
    )
