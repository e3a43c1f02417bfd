"""GRU4Rec and GRU4Rec+: a recurrent network over sessions (ICLR'16, CIKM'18).

Hidasi, Karatzoglou, Baltrunas, Tikk: Session-based Recommendations with
Recurrent Neural Networks. https://arxiv.org/abs/1511.06939
Hidasi, Karatzoglou: Recurrent Neural Networks with Top-k Gains for
Session-based Recommendations. https://arxiv.org/abs/1706.03847

The papers, part by part:

    h_t = GRU(x_1 ... x_t), r_i = e_i . h_t + b_i, e_i the embedding of item i
    ("constrained embedding")
        -> layers/encoders.py, layers/item_logits.py
    GRU4Rec:  TOP1, or the cross entropy of a softmax
        -> `--loss=top1`, `sampled_softmax`; layers/losses/
    GRU4Rec+: BPR-max or TOP1-max, with items drawn besides those of the batch
    by their popularity to a power; ELUs of the scores
        -> `--loss=bpr_max`, `top1_max`, `--sampling_power`, `--score_elu`

By default the softmax is over all items, which any sample stands for.

What departs from the papers and the authors' code. There a batch is one click
of each of B sessions that run side by side; the state is carried from batch to
batch, and the gradient ends after one step. Here a batch has whole sequences,
read from their start, and the gradient goes back through all of them. There
the targets of the other sessions in the batch are negatives, and more are
drawn; here all are drawn, `--negatives` of them, and 1 as `--sampling_power`
draws as the batch would. Where a target is drawn too, it is not held against
itself. `sampled_softmax` corrects for the chances of the draws, as the authors'
code does with `logq`. The optimizer is AdamW, theirs Adagrad with momentum,
and first weights are not all uniform.
"""

import keras
import tensorflow as tf

from tfrec.batches import Query
from tfrec.layers.encoders import GRUEncoder
from tfrec.models.base.next_item import NextItem
from tfrec.models.configs.gru4rec import GRU4RecConfig
from tfrec.settings import Settings


@keras.saving.register_keras_serializable("tfrec")
class GRU4Rec(NextItem):
    """The state of a GRU, compared with the items.

    Args:
        num_items: Number of items in the vocabulary.
        config: Settings.
        num_users: Not used.
    """

    config_class = GRU4RecConfig
    config: GRU4RecConfig

    def __init__(
        self,
        num_items: int,
        config: Settings | None = None,
        num_users: int = 0,
    ):
        super().__init__(num_items, config, num_users)
        c = self.config
        self.make_embedding()
        self.encoder = GRUEncoder(
            c.embedding_dim if c.tie_weights else c.gru_units, name="encoder"
        )
        self.make_head()
        self.encoder.build((None, None, c.embedding_dim))
        self.build_head(self.encoder.dim)
        self.built = True

    def states(self, query: Query, training: bool = False) -> tf.Tensor:
        """Returns the GRU's states; see the base class."""
        embedded = self.embed(query.history, training)
        return self.encoder(embedded, training=training)
