"""The base of every model that reads a history and predicts the next item."""

from collections.abc import Callable

import tensorflow as tf

from tfrec.batches import Query, TrainingBatch
from tfrec.models.base.learned import Terms
from tfrec.models.base.vector_model import VectorModel
from tfrec.shapes import Positions


class NextItem(VectorModel):
    """A causal model: the state at position t predicts item t + 1.

    One pass trains every prefix of a sequence. A subclass makes its layers
    between `make_embedding` and `make_head`, implements `states` and, where
    states are not yet what the items are compared with, `decode_states`.

    Args:
        num_items: Number of items in the vocabulary, padding not counted.
        config: Settings of the model; its defaults when absent.
        num_users: Number of users, for a model that needs them.
    """

    # Newest positions of the states that a prediction depends on.
    reach = 1

    def states(self, query: Query, training: bool = False) -> tf.Tensor:
        """Reads the items up to each position.

        Args:
            query: Histories and who asks.
            training: Whether dropout is on.

        Returns:
            float32 `[batch, length, dim]`; a position depends on no later one.
        """
        raise NotImplementedError

    def decode_states(
        self, states: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """Returns what items are compared with, `[..., item_dim]`.

        By default the states with `decoder_dropout`.

        Args:
            states: `[..., dim]`.
            training: Whether dropout is on.
        """
        return self.decoder_dropout(states, training=training)

    # Training ---------------------------------------------------------------

    def objective(self, batch: TrainingBatch, training: bool = True) -> Terms:
        """Returns the loss of every prefix; see the base class."""
        positions = Positions.where(batch.targets > 0, batch.weight)
        states = positions.read(self.states(batch.query, training))
        hidden = self.decode_states(states, training)
        return {"loss": self.prediction_loss(hidden, batch, positions)}

    # Scoring ----------------------------------------------------------------

    def last_states(
        self, query: Query
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor], tf.Tensor]:
        """Reads the states that the prediction after each history depends on.

        Args:
            query: What to read, see `read_newest`.

        Returns:
            The states, `[batch, reach, dim]`, or of all positions where they
            are fewer; a function that reads the same positions of other values
            `[batch, length, ...]`; and which of them, int32 `[batch]`, is the
            last of the history.
        """
        history = query.history
        length = tf.shape(history)[1]
        reach = tf.minimum(self.reach, length)
        last = tf.reduce_sum(tf.cast(history > 0, tf.int32), 1) - 1
        last = tf.maximum(last, 0)
        # The first positions where there are fewer, followed by what does not
        # matter.
        first = tf.maximum(last - reach + 1, 0)
        places = tf.minimum(first[:, None] + tf.range(reach), length - 1)

        def read(values):
            return tf.gather(values, places, batch_dims=1)

        return read(self.states(query)), read, last - first

    def hidden_draws(self, query: Query) -> list[tf.Tensor]:
        """See base class: the state after each history, decoded."""
        states, _, last = self.last_states(self.read_newest(query))
        return [self.decode_states(tf.gather(states, last, batch_dims=1))]
