"""NARM: neural attentive session-based recommendation (CIKM'17).

Li, Ren, Chen, Ren, Lian, Ma: Neural Attentive Session-based Recommendation.
https://arxiv.org/abs/1711.04725

The paper, part by part:

    global encoder: h_t, the state of a GRU after the clicks x_1 ... x_t
    local encoder:  c_t = sum_{j <= t} a_tj h_j,
                    a_tj = v' sigmoid(A1 h_t + A2 h_j)
        -> layers/encoders.py, `AttentiveGRUEncoder`
    decoder:        S_i = e_i' B [h_t; c_t], e_i the embedding of item i
        -> `decode_states`, here; layers/item_logits.py
    loss:           the cross entropy of the softmax of S
        -> layers/losses/full_softmax.py

with dropout on the embeddings and on [h; c].

What departs from the authors' code, which departs from the paper: there a_tj
is normalised by a softmax over j, the sigmoids of the GRU and the attention
are piecewise linear, and of a long session the first 19 clicks are read; here
they are the newest `--max_length`. A batch is of sessions, each with all of
its prefixes, not of prefixes.
"""

import keras
import tensorflow as tf

from tfrec.batches import Query
from tfrec.layers.encoders import AttentiveGRUEncoder
from tfrec.models.base.next_item import NextItem
from tfrec.models.configs.narm import NARMConfig
from tfrec.settings import Settings


@keras.saving.register_keras_serializable("tfrec")
class NARM(NextItem):
    """A GRU's state beside attention over all of its states so far.

    Args:
        num_items: Number of items in the vocabulary.
        config: Settings.
        num_users: Not used.
    """

    config_class = NARMConfig
    config: NARMConfig

    def __init__(
        self,
        num_items: int,
        config: Settings | None = None,
        num_users: int = 0,
    ):
        super().__init__(num_items, config, num_users)
        c = self.config
        self.make_embedding()
        self.encoder = AttentiveGRUEncoder(c.gru_units, name="encoder")
        self.state_dropout = keras.layers.Dropout(c.dropout)
        self.bilinear = keras.layers.Dense(
            c.embedding_dim, use_bias=False, name="bilinear"
        )
        self.make_head()
        self.encoder.build((None, None, c.embedding_dim))
        self.bilinear.build((None, self.encoder.dim))
        self.build_head(c.embedding_dim)
        self.built = True

    def states(self, query: Query, training: bool = False) -> tf.Tensor:
        """Returns [h; c], `[batch, length, 2 * gru_units]`; see base class."""
        embedded = self.embed(query.history, training)
        return self.encoder(embedded, training=training)

    def decode_states(
        self, states: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """Returns B [h; c], `[..., embedding_dim]`; see the base class."""
        hidden = self.bilinear(self.state_dropout(states, training=training))
        return self.decoder_dropout(hidden, training=training)
