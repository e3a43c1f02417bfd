"""Transitions: what followed the items of a history, the newest most.

    e_t(j) = sum_{a >= 0} decay^a n(x_{t-a}, j)

with n(i, j) the number of times that j came within a window after i, divided by
powers of how often i was followed at all and j followed. Markov is the window
of 1 and the decay of 0; ItemKNN, which has n without order, divides by both
roots. It is the plainest model with all four: a window, a decay of pairs, a
decay of the history, and a price of popularity. A network can have it as its
memory, see `TransitionMemory`.
"""

import keras
import tensorflow as tf

from tfrec.batches import Query
from tfrec.layers.transition_table import TransitionTable
from tfrec.models.base.counted import Counted
from tfrec.models.base.items import newest
from tfrec.models.base.transitions import Counting
from tfrec.models.configs.transitions import TransitionsConfig


@keras.saving.register_keras_serializable("tfrec")
class Transitions(Counted):
    """Scores items by how strongly they followed those of the history.

    Args:
        num_items: Number of items in the vocabulary.
        config: Settings.
        num_users: Not used.
    """

    config_class = TransitionsConfig
    config: TransitionsConfig
    weighs = True

    def __init__(
        self,
        num_items: int,
        config: TransitionsConfig | None = None,
        num_users: int = 0,
    ):
        super().__init__(num_items, config, num_users)
        self.table = TransitionTable(
            num_items, self.config.history_decay, name="table"
        )
        self.table.build(())
        self.built = True

    @property
    def tables(self) -> dict[str, tf.Variable]:
        """See base class."""
        return self.table.tables

    def adapt(self, batches: tf.data.Dataset) -> None:
        """Counts everything; what was counted before is forgotten.

        Args:
            batches: One epoch of training batches.
        """
        c = self.config
        counting = Counting(c.window, c.pair_decay, c.row_power, c.item_power)
        counts = counting.count(self.read(batches), self.num_items)
        self.table.remember(counts)

    def score(self, query: Query) -> tf.Tensor:
        """See `shares`: of how strongly items followed."""
        history = newest(query.history, self.config.max_length)
        rows, columns, strengths = self.table.follow(history)
        count = tf.shape(query.history)[0]
        return self.shares(count, rows, columns + 1, strengths)
