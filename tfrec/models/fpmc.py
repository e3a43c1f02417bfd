"""FPMC: factorising personalized Markov chains (WWW'10).

Rendle, Freudenthaler, Schmidt-Thieme: Factorizing Personalized Markov Chains
for Next-Basket Recommendation. https://doi.org/10.1145/1772690.1772773

The paper, part by part, for baskets of one item:

    x(u, l, i) = u_UI . i_UI + l_LI . i_LI, l the last item
        a factorised user-item matrix beside a factorised Markov chain: the
        state is [u_UI; l_LI], an item is [i_UI; i_LI]
        -> `states`, here; layers/user_embedding.py, layers/item_logits.py
    S-BPR: -log sigmoid(x(u, l, i) - x(u, l, j)), i the next item, j another
        -> layers/losses/bpr.py

The paper's term for user and last item, which ranks no item above another,
drops out of it. j is drawn evenly from the items that the user's sequence
lacks; with more than one, `--negatives`, their losses are added up. Other
losses serve as well (`--loss=softmax`). The regularisation is AdamW's weight
decay, 0 by default.

An unknown user is the mean of all. With one user, and where there are none, as
in sessions, u_UI . i_UI is the popularity of an item beside the chain.
"""

import keras
import tensorflow as tf

from tfrec.batches import Query
from tfrec.layers.user_embedding import UserEmbedding
from tfrec.models.base.next_item import NextItem
from tfrec.models.configs.fpmc import FPMCConfig
from tfrec.settings import Settings


@keras.saving.register_keras_serializable("tfrec")
class FPMC(NextItem):
    """The vectors of the user and of the last item, side by side.

    Args:
        num_items: Number of items in the vocabulary.
        config: Settings.
        num_users: Number of users.
    """

    config_class = FPMCConfig
    config: FPMCConfig
    needs_user = True

    def __init__(
        self,
        num_items: int,
        config: Settings | None = None,
        num_users: int = 0,
    ):
        super().__init__(num_items, config, num_users)
        c = self.config
        self.make_embedding()
        self.users = UserEmbedding(
            num_users,
            c.embedding_dim,
            embeddings_initializer=keras.initializers.RandomNormal(
                stddev=c.embedding_deviation
            ),
            name="user_embedding",
        )
        self.make_head()
        self.users.build((None,))
        self.build_head(2 * c.embedding_dim)
        self.built = True

    def states(self, query: Query, training: bool = False) -> tf.Tensor:
        """Returns [u; l], `[batch, length, 2 * dim]`; see the base class."""
        last = self.embedding(query.history)
        user = tf.broadcast_to(self.users(query.user)[:, None], tf.shape(last))
        both = tf.concat([user, last], -1)
        return self.embedding_dropout(both, training=training)
