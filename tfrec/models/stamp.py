"""STAMP: short-term attention and memory priority (KDD'18).

Liu, Zeng, Mokhosi, Zhang: STAMP: Short-Term Attention/Memory Priority Model
for Session-based Recommendation. https://doi.org/10.1145/3219819.3219950

The paper, part by part, for the embeddings x_1 ... x_t of the clicks so far:

    m_t = x_t, the last click; m_s = mean of x_1 ... x_t
    a_i = w' sigmoid(W1 x_i + W2 x_t + W3 m_s + b);  m_a = sum_i a_i x_i
        -> layers/session_attention.py
    h_s = tanh(W_s m_a + b_s);  h_t = tanh(W_t x_t + b_t)
    score of item i: sum_d (h_s)_d (h_t)_d (x_i)_d, x_i its embedding
        -> `states`, here; layers/item_logits.py
    loss: the cross entropy of the softmax of the scores
        -> layers/losses/full_softmax.py

The paper takes a sigmoid of each score before the softmax. The authors' code
does not, nor does this: no item could have a probability above e / num_items.
Their code adds m_s to m_a before W_s, which the paper does not say, and has no
biases b_s and b_t; `--add_mean` is that sum. It reads vectors at most 1 long,
and starts from embeddings of deviation 0.002 (`--embedding_deviation`) and
weights of 0.05; here weights start as Keras's do, and w so that m_a is about
as long as an embedding. It clips gradients at the norm 150; here none are.
"""

import keras
import tensorflow as tf

from tfrec.batches import Query
from tfrec.layers.session_attention import SessionAttention
from tfrec.models.base.next_item import NextItem
from tfrec.models.configs.stamp import STAMPConfig
from tfrec.settings import Settings


@keras.saving.register_keras_serializable("tfrec")
class STAMP(NextItem):
    """Attention over a session that its mean and its last click ask for.

    Args:
        num_items: Number of items in the vocabulary.
        config: Settings.
        num_users: Not used.
    """

    config_class = STAMPConfig
    config: STAMPConfig

    def __init__(
        self,
        num_items: int,
        config: Settings | None = None,
        num_users: int = 0,
    ):
        super().__init__(num_items, config, num_users)
        dim = self.config.embedding_dim
        self.make_embedding()
        self.attention = SessionAttention(use_bias=True, name="attention")
        self.of_session, self.of_last = (
            keras.layers.Dense(dim, activation="tanh", name=name)
            for name in ("of_session", "of_last")
        )
        self.make_head()
        self.attention.build((None, None, dim), (None, None, 2 * dim))
        for layer in (self.of_session, self.of_last):
            layer.build((None, dim))
        self.build_head(dim)
        self.built = True

    def states(self, query: Query, training: bool = False) -> tf.Tensor:
        """Returns h_s * h_t, `[batch, length, dim]`; see the base class."""
        clicks = self.embed(query.history, training)
        number = tf.range(1, tf.shape(clicks)[1] + 1)
        mean = tf.cumsum(clicks, 1) / tf.cast(number, clicks.dtype)[:, None]
        memory = self.attention(clicks, tf.concat([clicks, mean], -1))
        if self.config.add_mean:
            memory += mean
        return self.of_session(memory) * self.of_last(clicks)
