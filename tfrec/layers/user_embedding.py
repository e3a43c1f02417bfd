"""The vectors of users, and of one whom training did not know."""

import keras
import tensorflow as tf

from tfrec.layers.rows import USERS, Rows, declare_rows


class UserEmbedding(keras.layers.Embedding):
    """An embedding of users in which an unknown one is the mean of all.

    Unknown users teach the others nothing: a step that meets some leaves the
    vectors of those who are not in its batch. Where there are no users, as in
    sessions, all are one, and its vector is learned.

    Args:
        num_users: Number of users.
        dim: Size of a vector.
        **kwargs: For `keras.layers.Embedding`.
    """

    def __init__(self, num_users: int, dim: int, **kwargs):
        # Row 0, the unknown user's, is read only where it is everyone's.
        super().__init__(1 + num_users, dim, **kwargs)

    def build(self, input_shape=None):
        """Creates the table."""
        super().build(input_shape)
        declare_rows(self.embeddings, Rows(USERS, 1))

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the vectors of users, `[..., dim]`.

        Args:
            inputs: int `[...]`, 0 for an unknown user.
        """
        table = self.embeddings.value
        if self.input_dim == 1:
            return tf.gather(table, tf.zeros_like(inputs))
        found = tf.gather(table, inputs)
        unknown = inputs == 0
        # The whole table is read only where it has to be, and gets no gradient
        # from it: the optimizer steps the rows of a batch alone.
        mean = tf.cond(
            tf.reduce_any(unknown),
            lambda: tf.reduce_mean(table[1:], 0),
            lambda: tf.zeros_like(table[0]),
        )
        return tf.where(unknown[..., None], tf.stop_gradient(mean), found)
