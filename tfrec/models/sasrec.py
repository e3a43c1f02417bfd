"""SASRec: self-attentive sequential recommendation (ICDM'18).

Kang, McAuley: Self-Attentive Sequential Recommendation.
https://arxiv.org/abs/1808.09781

The paper, part by part, with its sections:

    E_t = M[x_t] + P_t, with dropout; P learned                     III-A
        -> `states`, here; layers/transformer.py, `PositionEmbedding`
    S = softmax(Q K' / sqrt(d)) V, causal                           III-B
    F = relu(S W1 + b1) W2 + b2                                     III-B
    x + dropout(g(norm(x))) around both; b such blocks              III-C
        -> layers/transformer.py, `TransformerBlock`
    r_i = F_t . M[i], with the item embeddings M ("tied")           III-D
        -> layers/item_logits.py
    -log sigmoid(r_next) - log(1 - sigmoid(r_j)), one j for each t  III-E
        -> layers/losses/binary.py, `--loss=binary`

The loss here is the cross entropy of the softmax over all items by default:
trained so, SASRec ranks better than many models that came after it (Klenitskiy
and Vasilev, RecSys'23; Petrov and Macdonald, RecSys'23, whose calibrated loss
is `--loss=gbce`). `--loss=binary` is the published one.

As in the authors' code, M[x_t] is multiplied by sqrt(d) where it is read, if it
is an item vector too. What departs from that code: there the residual of a part
is the normalised vector, against III-C; another dropout stands between the
dense layers; the attention has no output projection. It pads at the start, so
that positions count from the newest item; here they count from the oldest that
is read.
"""

import keras
import tensorflow as tf

from tfrec.batches import Query
from tfrec.layers.transformer import PositionEmbedding, through
from tfrec.models.base.next_item import NextItem
from tfrec.models.base.parts import make_blocks
from tfrec.models.configs.sasrec import SASRecConfig
from tfrec.settings import Settings


@keras.saving.register_keras_serializable("tfrec")
class SASRec(NextItem):
    """Causal self-attention over the items and their positions.

    Args:
        num_items: Number of items in the vocabulary.
        config: Settings.
        num_users: Not used.
    """

    config_class = SASRecConfig
    config: SASRecConfig

    def __init__(
        self,
        num_items: int,
        config: Settings | None = None,
        num_users: int = 0,
    ):
        super().__init__(num_items, config, num_users)
        c = self.config
        self.make_embedding()
        self.positions = PositionEmbedding(c.max_length, name="positions")
        self.blocks = make_blocks(c)
        self.norm = keras.layers.LayerNormalization(epsilon=1e-6, name="norm")
        self.make_head()
        for layer in (self.positions, *self.blocks, self.norm):
            layer.build((None, None, c.embedding_dim))
        self.build_head(c.embedding_dim)
        self.built = True

    def states(self, query: Query, training: bool = False) -> tf.Tensor:
        """Returns the last block's vectors, normalised; see the base class.

        Raises:
            InvalidArgumentError: If a row has more items than `max_length`.
        """
        tf.debugging.assert_equal(
            tf.reduce_any(query.history[:, self.config.max_length :] > 0),
            False,
            f"Rows must have at most {self.config.max_length} items, the "
            "`max_length` of the model: later positions have no vector.",
        )
        x = self.embedding(query.history)
        if self.config.tie_weights:
            # They are short, as vectors of the softmax have to be.
            x *= self.config.embedding_dim**0.5
        x = self.embedding_dropout(self.positions(x), training=training)
        return through(x, self.blocks, self.norm, training)
