"""The base of every model that compares a vector with those of the items."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tfrec.batches import Query, TrainingBatch
from tfrec.layers.item_embedding import ItemEmbedding
from tfrec.layers.item_logits import ItemLogits
from tfrec.layers.losses import (
    Histories,
    Targets,
    coming,
)
from tfrec.metrics.ranking import over_blocks
from tfrec.models.base.items import exclude, newest
from tfrec.models.base.learned import Learned
from tfrec.models.base.parts import make_loss
from tfrec.models.base.products import ItemProducts, Products
from tfrec.models.base.spectral import vectors_at_start
from tfrec.models.base.transitions import make_memory, memory_counting
from tfrec.models.configs.next_item import NextItemConfig
from tfrec.settings import Settings
from tfrec.shapes import Positions


class VectorModel(ItemProducts, Learned):
    """A model whose scores are products of a vector and the items' vectors.

    A subclass makes its layers between `make_embedding` and `make_head`, and
    implements `objective`, with `prediction_loss`, and `hidden_draws`. Where a
    causal state predicts at every position, `NextItem` has both.

    Args:
        num_items: Number of items in the vocabulary, padding not counted.
        config: Settings of the model; its defaults when absent.
        num_users: Number of users, for a model that needs them.
    """

    config: NextItemConfig

    def __init__(
        self,
        num_items: int,
        config: Settings | None = None,
        num_users: int = 0,
    ):
        super().__init__(num_items, config, num_users)
        self.noise_seed = keras.random.SeedGenerator()

    def make_embedding(self, reserved: int = 0) -> None:
        """Makes `embedding` and the dropout behind it.

        Args:
            reserved: Rows beyond those of the items, see `ItemEmbedding`.
        """
        c = self.config
        # Items far apart from the start: with Keras's tiny default an encoder
        # cannot tell them apart for many epochs. As vectors of the softmax
        # they have to be shorter, for quiet logits.
        default = c.embedding_dim**-0.5 if c.tie_weights else 1.0
        self.embedding = ItemEmbedding(
            self.num_items,
            c.embedding_dim,
            reserved,
            embeddings_initializer=keras.initializers.RandomNormal(
                stddev=c.embedding_deviation or default
            ),
            name="item_embedding",
        )
        self.embedding.build((None, None))
        self.embedding_dropout = keras.layers.Dropout(c.embedding_dropout)

    def make_head(self) -> None:
        """Makes `decoder_dropout`, `item_logits`, `item_loss` and `memory`.

        The caller builds them, by `build_head`.
        """
        c = self.config
        self.decoder_dropout = keras.layers.Dropout(c.decoder_dropout)
        self.item_logits = ItemLogits(
            self.num_items,
            self.embedding if c.tie_weights else None,
            c.cosine_scale,
            c.item_bias,
            name="item_logits",
        )
        self.item_loss = make_loss(c, self.num_items)
        self.memory = make_memory(c, self.num_items)

    def build_head(self, dim: int) -> None:
        """Builds what reads vectors `[..., dim]`, those to compare."""
        self.item_logits.build((None, dim))
        if self.memory:
            self.memory.build((None, dim))

    def embed(self, items: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the items' vectors with dropout, `[..., embedding_dim]`."""
        return self.embedding_dropout(self.embedding(items), training=training)

    # Training ---------------------------------------------------------------

    def prediction_loss(
        self, hidden: tf.Tensor, batch: TrainingBatch, positions: Positions
    ) -> tf.Tensor:
        """Returns the loss that `--loss` names, of the items to come.

        Args:
            hidden: float32 `[n, item_dim]`, at the positions.
            batch: What was read and what came.
            positions: The valid ones.
        """
        c = self.config
        targets = Targets.of(
            positions.read(coming(batch.targets, c.target_window)),
            positions.weights,
            c.target_decay,
        )
        # With the last item, which no position reads: it is no negative.
        histories = Histories(batch.items - 1, positions.places)
        known = {}
        if self.memory:
            known["evidence"] = self.memory.evidence(
                batch.items, positions.places, hidden
            )
        return self.item_loss.total(
            self.item_logits, hidden, targets, histories, **known
        )

    @property
    def counts_items(self) -> bool:
        """See base class."""
        return self.config.popular_start or self.item_loss.needs_popularity

    @property
    def tables(self) -> dict[str, tf.Variable]:
        """See base class: those of the memory."""
        return self.memory.tables if self.memory else {}

    @property
    def has_to_count(self) -> bool:
        """See base class; the memory's, and where the items start, too."""
        return (
            super().has_to_count
            or self.memory is not None
            or self.config.item_start != "random"
        )

    def adapt(self, batches: tf.data.Dataset) -> None:
        """See base class; counts what the memory holds, places the items.

        Items are placed once: later they are where training has moved them.
        """
        kind, dim = self.config.item_start, self.config.embedding_dim
        if kind != "random" and self.needs_adapt:
            log = batches.as_numpy_iterator()
            vectors = vectors_at_start(kind, log, self.num_items, dim)
            # Within it machines agree on what each of them found.
            with self.distribute_strategy.scope():
                self.embedding.start_at(vectors)
        if self.memory:
            # All weigh the same: what training takes out of the counts for a
            # sequence is what it added.
            equal = (
                batch._replace(recency=np.ones_like(batch.recency))
                for batch in batches.as_numpy_iterator()
            )
            counting = memory_counting(self.config)
            self.memory.remember(counting.count(equal, self.num_items))
        super().adapt(batches)

    def take_counts(self, counts: tf.Tensor) -> None:
        """See base class."""
        if self.config.popular_start:
            self.item_logits.start_at(counts)
        self.item_loss.order_by(counts)

    # Scoring ----------------------------------------------------------------

    def read_newest(self, query: Query) -> Query:
        """Returns the query with what the model reads of its histories.

        It has one position at least: an empty history reads padding.
        """
        history = newest(query.history, self.config.max_length)
        lacking = tf.cast(tf.shape(history)[1] == 0, tf.int32)
        return query._replace(history=tf.pad(history, [[0, 0], [0, lacking]]))

    @property
    def averages_draws(self) -> bool:
        """Whether `hidden_draws` returns more than one vector."""
        return False

    def hidden_draws(self, query: Query) -> list[tf.Tensor]:
        """Returns the vectors whose predictions are averaged; mostly one.

        Args:
            query: As for `score`; `read_newest` cuts it.

        Returns:
            float32 `[batch, item_dim]` each.
        """
        raise NotImplementedError

    @property
    def leaves_out_history(self) -> bool:
        """See base class."""
        return self.config.exclude_history

    def log_probabilities(self, hidden: tf.Tensor, query: Query) -> tf.Tensor:
        """Returns log p(item | hidden), float32 `[batch, num_items]`.

        With `exclude_history` the items of the history get the lowest score,
        and the others share the probability.
        """
        scores = self.item_logits(hidden)
        if self.memory:
            history = newest(query.history, self.config.max_length)
            scores += self.memory(history, hidden)
        if self.leaves_out_history:
            scores = exclude(scores, query.history)
        elif not self.memory:
            return scores
        total = tf.reduce_logsumexp(scores, -1, keepdims=True)
        # Finite where nothing is left, and too small to change the lowest.
        return scores - tf.maximum(total, -1e6)

    def score(self, query: Query) -> tf.Tensor:
        """See base class."""
        draws = [
            self.log_probabilities(hidden, query)
            for hidden in self.hidden_draws(query)
        ]
        if len(draws) == 1:
            return draws[0]
        return tf.reduce_logsumexp(tf.stack(draws), 0) - tf.math.log(
            float(len(draws))
        )

    def block_scores(
        self, query: Query
    ) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        """See base class. Logits suffice, unless draws are averaged.

        Whatever range is asked for, all is computed in the same tiles. So its
        scores are the same to the last bit.
        """
        if self.memory:
            return super().block_scores(query)
        draws = self.hidden_draws(query)
        totals = [0.0]
        if draws[1:]:
            totals = [self._log_total(h, query.history) for h in draws]
        width = self.item_logits.tile

        def tile(start):
            logs = [
                self.item_logits.logits(h, start) - total
                for h, total in zip(draws, totals, strict=True)
            ]
            return tf.reduce_logsumexp(logs, 0) if logs[1:] else logs[0]

        def scores(start, stop):
            first = start // width * width
            tiles = tf.map_fn(
                tile,
                tf.range(first, stop, width),
                fn_output_signature=tf.float32,
                parallel_iterations=1,
            )
            rows = tf.transpose(tiles, [1, 0, 2])
            rows = tf.reshape(rows, [tf.shape(query.history)[0], -1])
            return rows[:, start - first : stop - first]

        return scores

    def _log_total(self, hidden: tf.Tensor, history: tf.Tensor) -> tf.Tensor:
        """Returns the log of the sum of exp(logit), `[batch, 1]`."""

        def add(total, start, stop):
            logits = self.item_logits.logits(hidden, start)[:, : stop - start]
            if self.leaves_out_history:
                inside = (history > start) & (history <= stop)
                logits = exclude(logits, tf.where(inside, history - start, 0))
            logits = tf.cast(logits, tf.float64)
            logits = tf.concat([total, logits], 1)
            return tf.reduce_logsumexp(logits, 1, keepdims=True)

        nothing = tf.fill(
            [tf.shape(hidden)[0], 1], tf.constant(float("-inf"), tf.float64)
        )
        total = over_blocks(add, nothing, self.num_items, self.item_logits.tile)
        return tf.cast(total, tf.float32)

    # For other rooms --------------------------------------------------------

    def item_vectors(self) -> dict[str, tf.Tensor]:
        """See base class.

        `items_predicted` are those of the softmax, where items are near that
        come after the same histories; `items_read` those of the embedding,
        unless they are the same.
        """
        predicted = {"items_predicted": self.item_logits.kernel}
        if self.config.tie_weights and not self.config.cosine_scale:
            return predicted
        read = tf.convert_to_tensor(self.embedding.item_vectors)
        return predicted | {"items_read": read}

    def products(self) -> Products | None:
        """See base class: none with a memory, or draws that are averaged."""
        if self.memory or self.averages_draws:
            return None
        return self.products_of(lambda query: self.hidden_draws(query)[0])
