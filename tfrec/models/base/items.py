"""What models do with items: leave out, keep the newest, once each, count."""

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfrec.metrics.ranking import set_scores

if TYPE_CHECKING:
    from tfrec.data import PreparedDataset

# Below every log-probability, yet finite: what excluded items score.
EXCLUDED = tf.float32.min
# Longer than any sequence.
_WHOLE = 2**30


def exclude(scores: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
    """Sets the scores of the given items below all others.

    Args:
        scores: float32 `[batch, num_items]`; column j is item j + 1.
        items: int32 `[batch, n]`, 0 for none.
    """
    return set_scores(scores, items, EXCLUDED)


def as_histories(rows: Any, num_items: int) -> tf.Tensor:
    """Makes a tensor of histories that a user gives, and checks them.

    Args:
        rows: Item indices, oldest first; rows may differ in length.
        num_items: Number of items in the vocabulary.

    Returns:
        int32 `[batch, length]`, 0 at the end.

    Raises:
        ValueError: If they are no rows of indices, an index is not of the
            vocabulary, or 0 stands before an item.
    """
    if tf.is_tensor(rows):
        histories = rows
    else:
        try:
            arrays = [np.asarray(row) for row in rows]
        except TypeError:
            arrays = []
        wrong = [
            row
            for row in arrays
            if row.ndim != 1 or (row.size and row.dtype.kind not in "iu")
        ]
        if wrong or not arrays:
            raise ValueError(
                "`history` must be rows of item indices, which are integers, "
                f"as in [[3, 1, 4]]. Received: {rows!r}."
            )
        histories = np.zeros([len(arrays), max(map(len, arrays))], np.int64)
        for padded, row in zip(histories, arrays, strict=True):
            padded[: len(row)] = row
    empty = not int(tf.size(histories))
    least = 0 if empty else int(tf.reduce_min(histories))
    largest = 0 if empty else int(tf.reduce_max(histories))
    if least < 0 or largest > num_items:
        raise ValueError(
            f"`history` must hold item indices from 1 to {num_items}. "
            f"Received: {least if least < 0 else largest}."
        )
    if tf.reduce_any((histories[:, :-1] == 0) & (histories[:, 1:] > 0)):
        raise ValueError(
            "`history` must have its padding, 0, at the end. Received: 0 "
            "before an item. In keras.utils.pad_sequences it is "
            'padding="post".'
        )
    return tf.cast(histories, tf.int32)


def newest(history: tf.Tensor, max_length: int) -> tf.Tensor:
    """Keeps the newest `max_length` items of each padded row.

    Args:
        history: int32 `[batch, length]`, 0 at the end.
        max_length: Largest length to keep.

    Returns:
        int32 `[batch, min(length, max_length)]`, 0 at the end.
    """
    length = tf.shape(history)[1]
    lengths = tf.reduce_sum(tf.cast(history > 0, tf.int32), 1)
    kept = tf.minimum(length, max_length)
    places = tf.maximum(lengths - kept, 0)[:, None] + tf.range(kept)
    return tf.gather(history, places, batch_dims=1)


def distinct(items: tf.Tensor) -> tf.Tensor:
    """Returns the set of items of each padded row.

    Args:
        items: int32 `[batch, length]`, 0 anywhere.

    Returns:
        int32 `[batch, length]`, falling; 0 in place of repetitions.
    """
    return _once(tf.sort(items, axis=1, direction="DESCENDING"))


def newest_of_each(history: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the set of items of each padded row, and how old each is.

    Args:
        history: int32 `[batch, length]`, 0 at the end.

    Returns:
        int32 `[batch, length]` each: the items, falling, 0 in place of what
        came again later; and how many items came after. The age of padding
        means nothing.
    """
    backward = tf.reverse(history, [1])
    # Of equals the later one first.
    order = tf.argsort(backward, direction="DESCENDING", stable=True)
    items = _once(tf.gather(backward, order, batch_dims=1))
    padding = tf.reduce_sum(tf.cast(history == 0, tf.int32), 1, keepdims=True)
    return items, order - padding


def _once(falling: tf.Tensor) -> tf.Tensor:
    """Puts 0 in place of all but the first of equals in falling rows."""
    again = falling[:, 1:] == falling[:, :-1]
    return tf.concat([falling[:, :1], tf.where(again, 0, falling[:, 1:])], 1)


def distinct_array(items: np.ndarray) -> np.ndarray:
    """Returns the same of an array, with 0 at the end of each row."""
    items = -np.sort(-items, axis=1)
    items[:, 1:][items[:, 1:] == items[:, :-1]] = 0
    return -np.sort(-items, axis=1)


def count_items(batches: tf.data.Dataset, num_items: int) -> tf.Tensor:
    """Counts each item's interactions.

    Args:
        batches: One epoch of `TrainingBatch`.
        num_items: Number of items in the vocabulary.

    Returns:
        float32 `[num_items]`; entry j counts item j + 1.
    """
    counts = np.zeros(num_items + 1, np.int64)
    for batch in batches.as_numpy_iterator():
        # In place: an array of all items for each batch would cost more, the
        # more items there are.
        np.add.at(counts, batch.items, 1)
    return tf.constant(counts[1:], tf.float32)


def count_interactions(data: "PreparedDataset") -> np.ndarray:
    """Counts each item's interactions in the training and the validation.

    Sequences count whole, however little of them a model reads.

    Args:
        data: A prepared dataset.

    Returns:
        float64 `[num_items]`; entry j counts item j + 1.
    """
    batches = data.training(1024, _WHOLE, fit_on="all", epochs=1)
    return count_items(batches, data.num_items).numpy().astype(np.float64)
