"""What passes between data, models and servers, and the numbers in it.

Items are integers from 1 to `num_items` in every array; 0 is padding, always
at the end of a row, and a test may name one item more, see `unseen`. Users are
integers from 1; 0 is a user that training did not know.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import tensorflow as tf

PADDING = 0
UNKNOWN_USER = 0


def unseen(num_items: int) -> int:
    """Returns the item that stands for all that training never saw.

    It is the target of a click that can only be missed, and in no history.
    """
    return num_items + 1


def _unless_given(user: tf.Tensor | None, rows: tf.Tensor) -> tf.Tensor:
    """Returns the users, unknown ones by default, int32 `[rows]`."""
    return tf.fill([rows], UNKNOWN_USER) if user is None else user


class Query(NamedTuple):
    """What a recommendation is asked for.

    Attributes:
        history: int32 `[batch, length]`, oldest item first, 0 at the end.
        user: int32 `[batch]`.
    """

    history: tf.Tensor
    user: tf.Tensor

    @classmethod
    def of(cls, history: tf.Tensor, user: tf.Tensor | None = None) -> "Query":
        """Makes a query, of unknown users by default."""
        history = tf.convert_to_tensor(history)
        return cls(history, _unless_given(user, tf.shape(history)[0]))


class TrainingBatch(NamedTuple):
    """Sequences to train on.

    Attributes:
        items: int32 `[batch, length + 1]`, 0 at the end. A model reads all
            columns but the last and predicts all but the first.
        weight: float32 `[batch]`, recency / rows of the global batch.
        user: int32 `[batch]`.
        recency: float32 `[batch]`, what each weighs by its age, see
            `--recency`: 1 in the mean of the log.
    """

    items: tf.Tensor
    weight: tf.Tensor
    user: tf.Tensor
    recency: tf.Tensor

    @classmethod
    def of(
        cls, items: tf.Tensor, user: tf.Tensor | None = None
    ) -> "TrainingBatch":
        """Makes the global batch of these sequences.

        Args:
            items: As above.
            user: As above; unknown users by default.
        """
        rows = tf.shape(items)[0]
        weight = tf.fill([rows], 1.0 / tf.cast(rows, tf.float32))
        user = _unless_given(user, rows)
        return cls(items, weight, user, tf.ones_like(weight))

    @property
    def query(self) -> Query:
        """What a model reads."""
        return Query(self.items[:, :-1], self.user)

    @property
    def targets(self) -> tf.Tensor:
        """The item that follows each one read, int32 `[batch, length]`."""
        return self.items[:, 1:]


class EvaluationBatch(NamedTuple):
    """Histories and what came after them.

    Attributes:
        history: int32 `[batch, length]`, 0 at the end.
        targets: int32 `[batch, n]`, each once in a row, 0 at the end. Only
            `unseen` may stand there again, for each item that it means.
        excluded: int32 `[batch, m]`, items that are not ranked, 0 at the end.
        user: int32 `[batch]`.
        record: int32 `[batch]`, from 0: which record of the split a row is
            of. With next_click the rows of a session share one, and come in
            their order.
    """

    history: tf.Tensor
    targets: tf.Tensor
    excluded: tf.Tensor
    user: tf.Tensor
    record: tf.Tensor

    @classmethod
    def of(
        cls,
        history: tf.Tensor,
        targets: tf.Tensor,
        excluded: tf.Tensor,
        user: tf.Tensor | None = None,
        record: tf.Tensor | None = None,
    ) -> "EvaluationBatch":
        """Makes a batch: by default of unknown users, each row a record."""
        rows = tf.shape(history)[0]
        user = _unless_given(user, rows)
        record = tf.range(rows) if record is None else record
        return cls(history, targets, excluded, user, record)

    @property
    def query(self) -> Query:
        """What a model reads."""
        return Query(self.history, self.user)


def as_query(data: Any) -> Query:
    """Returns what a model reads of a batch, or of histories alone.

    Args:
        data: A `Query`, a batch, or int histories `[batch, length]`, alone or,
            as Keras gives them, in a tuple of one.
    """
    if isinstance(data, Query):
        return data
    if isinstance(data, (TrainingBatch, EvaluationBatch)):
        return data.query
    if isinstance(data, tuple):
        (data,) = data
    return Query.of(tf.cast(data, tf.int32))


def thinned(
    batches: Iterable[EvaluationBatch], every: int
) -> Iterator[EvaluationBatch]:
    """Yields every n-th row, in batches of as many as there are.

    Every n-th batch would be no even sample: batches come sorted by the length
    of histories, some at a time.
    """
    first = 0
    for batch in batches:
        size = len(batch.history)
        if first < size:
            yield EvaluationBatch(*(column[first::every] for column in batch))
        first = (first - size) % every
