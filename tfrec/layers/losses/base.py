"""What every loss over items shares."""

from typing import NamedTuple

import keras
import tensorflow as tf

from tfrec.layers.item_logits import ItemLogits
from tfrec.layers.losses.histories import Histories


class Targets(NamedTuple):
    """The items that came, position by position.

    Attributes:
        items: int32 `[n, k]`, from 1, 0 for none.
        shares: float32 `[n, k]`, the probability of each as a target; they sum
            to 1 in a row that has any.
        weights: float32 `[n]`.
    """

    items: tf.Tensor
    shares: tf.Tensor
    weights: tf.Tensor

    @classmethod
    def of(
        cls, items: tf.Tensor, weights: tf.Tensor, decay: float = 1.0
    ) -> "Targets":
        """Shares the probability of each row among its items.

        Args:
            items: int32 `[n, k]`, the nearest first, 0 for none.
            weights: float32 `[n]`.
            decay: What an item has for 1 of the one before it.
        """
        shares = tf.cast(items > 0, tf.float32)
        if decay != 1.0:
            shares *= decay ** tf.range(items.shape[1], dtype=tf.float32)
        total = tf.reduce_sum(shares, 1, keepdims=True)
        # Without decay, as it always was: 1, or what a row of none divides by.
        least = 1.0 if decay == 1.0 else 1e-30
        return cls(items, shares / tf.maximum(total, least), weights)

    @property
    def columns(self) -> tf.Tensor:
        """The columns of the items; 0 where there is none."""
        return tf.maximum(self.items - 1, 0)


def coming(targets: tf.Tensor, window: int) -> tf.Tensor:
    """Lays each target beside the ones that follow it.

    Args:
        targets: int32 `[batch, length]`, 0 at the end.
        window: Targets per position.

    Returns:
        int32 `[batch, length, window]`, 0 beyond the end.
    """
    length = tf.shape(targets)[1]
    padded = tf.pad(targets, [[0, 0], [0, window - 1]])
    return tf.stack([padded[:, i : i + length] for i in range(window)], -1)


class ItemLoss(keras.layers.Layer):
    """How far the logits at each position are from the items that came.

    Args:
        exclude_history: Whether the items up to each position, but for its
            targets, are left out, as a protocol does that does not rank them.
    """

    # Whether `order_by` must be told how popular each item is.
    needs_popularity = False

    def __init__(self, exclude_history: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.exclude_history = exclude_history

    def order_by(self, counts: tf.Tensor) -> None:
        """Takes each item's popularity, float32 `[num_items]`."""

    def total(
        self,
        logits: ItemLogits,
        hidden: tf.Tensor,
        targets: Targets,
        histories: Histories,
    ) -> tf.Tensor:
        """Returns the weighted sum over positions, a float32 scalar.

        Args:
            logits: Scores items from hidden states.
            hidden: float32 `[n, dim]`, one row for each position.
            targets: What came at these positions.
            histories: What came before.
        """
        raise NotImplementedError


def own_logits(
    logits: ItemLogits, hidden: tf.Tensor, columns: tf.Tensor
) -> tf.Tensor:
    """Scores a few items of each row's own.

    Args:
        logits: Scores items from hidden states.
        hidden: float32 `[n, dim]`.
        columns: int32 `[n, k]`.

    Returns:
        float32 `[n, k]`.
    """
    hidden = logits.scaled(hidden)
    own = tf.reduce_sum(hidden[:, None] * logits.vectors(columns), -1)
    return own + logits.biases(columns)


def shared_logits(
    logits: ItemLogits,
    hidden: tf.Tensor,
    columns: tf.Tensor,
    matmul_dtype: str = "float32",
) -> tf.Tensor:
    """Scores the same items for every row.

    Args:
        logits: Scores items from hidden states.
        hidden: float32 `[n, dim]`.
        columns: int32 `[m]`.
        matmul_dtype: Type of the product's inputs.

    Returns:
        float32 `[n, m]`.
    """
    product = tf.matmul(
        tf.cast(logits.scaled(hidden), matmul_dtype),
        tf.cast(logits.vectors(columns), matmul_dtype),
        transpose_b=True,
    )
    return tf.nn.bias_add(tf.cast(product, tf.float32), logits.biases(columns))
