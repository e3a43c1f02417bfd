"""BERT4Rec: a bidirectional encoder that fills in masked items (CIKM'19).

Sun, Liu, Wu, Pei, Lin, Ou, Jiang: BERT4Rec: Sequential Recommendation with
Bidirectional Encoder Representations from Transformer.
https://arxiv.org/abs/1904.06690

The paper, part by part, with its sections; S is a sequence, S' what is left of
it when some of its items are masked, v_m one of these:

    h = item embedding + learned position, normalised, with dropout    3.4
        -> `read`, here; layers/transformer.py, `PositionEmbedding`
    h = norm(h + dropout(attend(h))), norm(h + dropout(feed(h))); every
        position attends to all; gelu                                  3.3
        -> layers/transformer.py, `TransformerBlock`
    p(v | S') = softmax(E norm(gelu(W h + b)) + b_v), E the item
        embeddings                                                     3.5
        -> `vectors`, here; layers/item_logits.py

    min:  sum over the masked m  -log p(v_m | S')                      3.6
        -> `draw_masks` and `objective`, here

To predict, a mask is appended to the history. Some sequences have their last
item masked alone, as it is then (`--mask_last`); the authors' data has one such
sequence for ten masked at random.

What departs from the authors' code: each item is masked with a probability of
its own, where they mask a share of the sequence; the loss is a sum over the
masked items of a sequence, where they take the mean over a batch; a sequence
longer than `--max_length` + 1 is cut to its newest items, where they cut it
into windows; and masks are drawn anew in each epoch. Their model was trained
for too few steps on some data (Petrov and Macdonald, RecSys'22): give it four
to ten times the epochs of other models.
"""

import keras
import tensorflow as tf

from tfrec.batches import Query, TrainingBatch
from tfrec.layers.losses import Histories, Targets
from tfrec.layers.transformer import PositionEmbedding
from tfrec.models.base.learned import Terms
from tfrec.models.base.parts import make_blocks
from tfrec.models.base.vector_model import VectorModel
from tfrec.models.configs.bert4rec import BERT4RecConfig
from tfrec.settings import Settings
from tfrec.shapes import Positions


@keras.saving.register_keras_serializable("tfrec")
class BERT4Rec(VectorModel):
    """Self-attention over both sides of the items that are masked.

    Args:
        num_items: Number of items in the vocabulary.
        config: Settings.
        num_users: Not used.
    """

    config_class = BERT4RecConfig
    config: BERT4RecConfig

    def __init__(
        self,
        num_items: int,
        config: Settings | None = None,
        num_users: int = 0,
    ):
        super().__init__(num_items, config, num_users)
        c = self.config
        self.make_embedding(reserved=1)
        self.mask = self.embedding.reserved_index(0)
        # A history and the mask behind it.
        self.positions = PositionEmbedding(c.max_length + 1, name="positions")
        self.blocks = make_blocks(
            c, activation="gelu", causal=False, norm_first=False
        )
        self.to_vector = keras.layers.Dense(
            c.embedding_dim, activation="gelu", name="to_vector"
        )
        self.read_norm, self.vector_norm = (
            keras.layers.LayerNormalization(epsilon=1e-6, name=name)
            for name in ("read_norm", "vector_norm")
        )
        self.make_head()
        for layer in (
            self.positions,
            self.read_norm,
            *self.blocks,
            self.to_vector,
            self.vector_norm,
            self.item_logits,
        ):
            layer.build((None, None, c.embedding_dim))
        self.built = True

    def read(self, tokens: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the last block's vectors, `[batch, length, embedding_dim]`.

        Args:
            tokens: int32 `[batch, length]`: items, the mask, 0 at the end.
            training: Whether dropout is on.

        Raises:
            InvalidArgumentError: If a row is longer than `max_length` + 1.
        """
        longest = self.config.max_length + 1
        tf.debugging.assert_equal(
            tokens[:, longest:],
            0,
            f"Rows must have at most {longest} items, the `max_length` of the "
            "model and one to predict: later positions have no vector.",
        )
        x = self.read_norm(self.positions(self.embedding(tokens)))
        x = self.embedding_dropout(x, training=training)
        for block in self.blocks:
            x = block(x, tokens > 0, training=training)
        return x

    def vectors(self, states: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns what items are compared with, `[..., embedding_dim]`."""
        x = self.vector_norm(self.to_vector(states))
        return self.decoder_dropout(x, training=training)

    def draw_masks(self, items: tf.Tensor) -> tf.Tensor:
        """Draws the positions to mask, one at least of every sequence.

        Args:
            items: int32 `[batch, length]`, 0 at the end.

        Returns:
            bool `[batch, length]`.
        """
        c = self.config
        rows, length = tf.unstack(tf.shape(items))
        draws = keras.random.uniform([rows, length], seed=self.noise_seed)
        draws = tf.where(items > 0, draws, 2.0)

        def alone(places):
            return tf.one_hot(places, length, on_value=True, off_value=False)

        masks = (draws < c.mask_probability) | alone(tf.argmin(draws, 1))
        if c.mask_last:
            last = tf.math.count_nonzero(items, 1) - 1
            draws = keras.random.uniform([rows, 1], seed=self.noise_seed)
            masks = tf.where(draws < c.mask_last, alone(last), masks)
        # Not of a sequence that has no items.
        return masks & (items > 0)

    def objective(self, batch: TrainingBatch, training: bool = True) -> Terms:
        """Returns the loss of the masked items; see the base class."""
        items = batch.items
        masks = self.draw_masks(items)
        states = self.read(tf.where(masks, self.mask, items), training)
        masked = Positions.where(masks, batch.weight)
        hidden = self.vectors(masked.read(states), training)
        targets = Targets.of(masked.read(items)[:, None], masked.weights)
        # All of a sequence is around its masks, as a history at prediction.
        last = tf.shape(items, tf.int64)[1] - 1
        places = tf.stack(
            [masked.places[:, 0], tf.fill(tf.shape(masked.weights), last)], 1
        )
        around = Histories(items - 1, places)
        loss = self.item_loss.total(self.item_logits, hidden, targets, around)
        return {"loss": loss}

    def hidden_draws(self, query: Query) -> list[tf.Tensor]:
        """See base class: at the mask behind each history."""
        history = self.read_newest(query).history
        history = tf.pad(history, [[0, 0], [0, 1]])
        count = tf.math.count_nonzero(history, 1, dtype=tf.int32)
        behind = tf.range(tf.shape(history)[1]) == count[:, None]
        states = self.read(tf.where(behind, self.mask, history))
        return [self.vectors(tf.gather(states, count, batch_dims=1))]
