"""RecBLR: linear recurrent units that depend on the behaviour (CIKM'24).

Liu, Lin, Liu, Wang, Caverlee: Behavior-Dependent Linear Recurrent Units for
Efficient Sequential Recommendation. https://arxiv.org/abs/2406.12580

The paper, section 3, part by part:

    e = norm(dropout(item vectors))
        -> layers/encoders.py, `RecurrentBlocksEncoder`
    gated recurrent layer: convolution, BD-LRU, silu gate
    feed-forward network; residuals, dropout, norm around both
        -> layers/linear_recurrence.py
    softmax over the products of the last state and the items
        -> layers/item_logits.py, layers/losses/

The state before is only scaled, by a factor that the item chooses, where a GRU
multiplies it by matrices and attention looks back at every position. There are
no positions to learn: a history may be of any length, and an answer takes one
step for each item.

What departs from the authors' code. There a scan in CUDA adds up in a tree;
here a loop goes from the first to the last, one multiplication and one addition
a step. There matrices and item vectors begin as N(0, 0.02), here matrices as
Keras has them and item vectors as in all models of tfrec
(`--embedding_deviation`). The norms add 1e-6 and not 1e-12.
"""

import keras
import tensorflow as tf

from tfrec.batches import Query
from tfrec.layers.encoders import RecurrentBlocksEncoder
from tfrec.models.base.next_item import NextItem
from tfrec.models.configs.recblr import RecBLRConfig
from tfrec.settings import Settings


@keras.saving.register_keras_serializable("tfrec")
class RecBLR(NextItem):
    """Blocks of a gated linear recurrence over the items.

    Args:
        num_items: Number of items in the vocabulary.
        config: Settings.
        num_users: Not used.
    """

    config_class = RecBLRConfig
    config: RecBLRConfig

    def __init__(
        self,
        num_items: int,
        config: Settings | None = None,
        num_users: int = 0,
    ):
        super().__init__(num_items, config, num_users)
        c = self.config
        self.make_embedding()
        self.encoder = RecurrentBlocksEncoder(
            c.embedding_dim,
            c.blocks,
            c.dropout,
            c.expansion,
            c.kernel_size,
            c.min_decay,
            c.hidden_units,
            name="encoder",
        )
        self.make_head()
        self.encoder.build((None, None, c.embedding_dim))
        self.build_head(c.embedding_dim)
        self.built = True

    def states(self, query: Query, training: bool = False) -> tf.Tensor:
        """Returns the last block's vectors; see the base class."""
        embedded = self.embed(query.history, training)
        return self.encoder(embedded, training=training)
