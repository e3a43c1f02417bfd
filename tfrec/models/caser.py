"""Caser: convolutional sequence embedding recommendation (WSDM'18).

Tang, Wang: Personalized Top-N Sequential Recommendation via Convolutional
Sequence Embedding. https://arxiv.org/abs/1809.07426

The paper, part by part; E is the L x d matrix of the embeddings of the last L
items, oldest first:

    horizontal filters F_k, h x d, of every height h from 1 to L:
        o_k = max over i of relu(F_k . E[i : i + h] + b_k)
    vertical filters G_k, L x 1:  o'_k = G_k' E, a weighted sum of the items
        -> `WindowFilters`, here
    z = relu(W [o; o'] + b), with dropout on [o; o'];  y = W' [z; u] + b'
        -> `decode_states`, here; layers/item_logits.py
    the next T items are targets: -log sigmoid(y_i) of each, and
    -log(1 - sigmoid(y_j)) of items j that were drawn for it
        -> `--target_window`, layers/losses/binary.py

The filters pass over a whole sequence at once, and every position is trained,
also where fewer than L items came before. What is missing before them is 0,
and a window of nothing else has no part in the maximum; in the authors' code
it is an item with a vector, and windows are full where a sequence is long
enough. That code averages over the targets and over the negatives; here, as in
the paper, each target has `--negatives` of them, and a position counts as one.
It regularises by 1e-6 of the squared weights, which is left out. An unknown
user is the mean of all; in sessions all are one.
"""

import keras
import tensorflow as tf

from tfrec.batches import Query
from tfrec.layers.causal_convolution import CausalConvolution, causal_windows
from tfrec.layers.user_embedding import UserEmbedding
from tfrec.models.base.next_item import NextItem
from tfrec.models.configs.caser import CaserConfig
from tfrec.settings import Settings


class WindowFilters(keras.layers.Layer):
    """The filters over the last items, at every position of a sequence.

    Args:
        window: L.
        horizontal: Number of horizontal filters of each height.
        vertical: Number of vertical filters.
    """

    def __init__(self, window: int, horizontal: int, vertical: int, **kwargs):
        super().__init__(**kwargs)
        self.window = window
        self.vertical = vertical
        self.horizontal = [
            CausalConvolution(horizontal, height, name=f"horizontal_{height}")
            for height in range(1, window + 1)
        ]

    def build(self, input_shape):
        """Creates the filters for embedded items `[batch, length, dim]`."""
        for convolution in self.horizontal:
            convolution.build(input_shape)
        self.kernel = self.add_weight(
            name="vertical", shape=[self.window, self.vertical]
        )
        found = sum(convolution.filters for convolution in self.horizontal)
        self.dim = found + self.vertical * input_shape[-1]

    def call(self, embedded: tf.Tensor) -> tf.Tensor:
        """Returns [o; o'], `[batch, length, self.dim]`; causal.

        Args:
            embedded: `[batch, length, dim]`.
        """
        found = []
        for convolution in self.horizontal:
            # Windows of this height end at every position. The last of them
            # are those of E; before the first item comes 0, which no maximum
            # over what is not negative sees.
            passes = self.window - convolution.kernel_size + 1
            strength = tf.nn.relu(convolution(embedded))
            strength = tf.pad(strength, [[0, 0], [passes - 1, 0], [0, 0]])
            found.append(tf.nn.max_pool1d(strength, passes, 1, "VALID"))
        *shape, dim = tf.unstack(tf.shape(embedded))
        windows = causal_windows(embedded, self.window)
        windows = tf.reshape(windows, [*shape, self.window, dim])
        sums = tf.einsum("btld,lk->btkd", windows, self.kernel)
        sums = tf.reshape(sums, [*shape, self.vertical * embedded.shape[-1]])
        return tf.concat([*found, sums], -1)


@keras.saving.register_keras_serializable("tfrec")
class Caser(NextItem):
    """What filters find in the last items, beside the user.

    Args:
        num_items: Number of items in the vocabulary.
        config: Settings.
        num_users: Number of users.
    """

    config_class = CaserConfig
    config: CaserConfig
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
        self.filters = WindowFilters(
            c.window, c.horizontal_filters, c.vertical_filters, name="filters"
        )
        self.filter_dropout = keras.layers.Dropout(c.dropout)
        self.hidden = keras.layers.Dense(
            c.embedding_dim, activation="relu", name="hidden"
        )
        self.make_head()
        self.users.build((None,))
        self.filters.build((None, None, c.embedding_dim))
        self.hidden.build((None, self.filters.dim))
        self.build_head(2 * c.embedding_dim)
        self.built = True

    def states(self, query: Query, training: bool = False) -> tf.Tensor:
        """Returns [o; o'; u] at each position; see the base class."""
        found = self.filters(self.embed(query.history, training))
        user = self.users(query.user)[:, None]
        shape = [*tf.unstack(tf.shape(found)[:2]), user.shape[-1]]
        return tf.concat([found, tf.broadcast_to(user, shape)], -1)

    def decode_states(
        self, states: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """Returns [z; u], `[..., 2 * embedding_dim]`; see the base class."""
        found, user = tf.split(
            states, [self.filters.dim, self.config.embedding_dim], -1
        )
        z = self.hidden(self.filter_dropout(found, training=training))
        both = tf.concat([z, user], -1)
        return self.decoder_dropout(both, training=training)
