"""What every model with a latent shares: encode, decode, average draws."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfrec.layers.item_softmax import ItemSoftmax
from tfrec.metrics.ranking import over_blocks
from tfrec.models.configs.variational import VariationalConfig
from tfrec.models.lazy_adamw import LazyAdamW
from tfrec.models.recommender import (
    Recommender,
    count_items,
    exclude,
    newest,
)


class VariationalRecommender(Recommender):
    """A recommender with a latent at every position of a sequence.

    A subclass makes the layers `embedding`, `decoder` and, by `make_softmax`,
    `item_softmax`, implements `encode` and `draw`, and names the size of the
    noise in `noise_dim`; its config is a `VariationalConfig`.

    Args:
        num_items: Number of items in the vocabulary, padding not counted.
        config: Settings of the model; its defaults when absent.
    """

    def __init__(self, num_items: int, config: VariationalConfig | None = None):
        super().__init__(num_items, config)
        self.noise_seed = keras.random.SeedGenerator()

    @property
    def noise_dim(self) -> int:
        """Number of standard normal draws behind one latent."""
        raise NotImplementedError

    @property
    def posterior_dim(self) -> int:
        """Leading dimensions of a latent that are drawn from the posterior."""
        return self.config.latent_dim

    @property
    def reach(self) -> int:
        """Newest positions of what `encode` returns that a latent depends on.

        1 where the latent at a position needs the states of no other.
        """
        return 1

    def encode(self, items: tf.Tensor, training: bool = False) -> Any:
        """Returns what is read from the items up to each position.

        Args:
            items: int32 `[batch, length]`, 0 at the end.
            training: Whether dropout is on.

        Returns:
            float32 `[batch, length, units]`, or a tuple of such.
        """
        raise NotImplementedError

    def draw(
        self, encoded: Any, noise: tf.Tensor | None, training: bool = False
    ) -> tf.Tensor:
        """Returns a draw of the posterior at every position.

        Args:
            encoded: What `encode` returns, or consecutive positions of it.
            noise: Standard normal draws, `[batch, length, noise_dim]`; None
                for eps = 0.
            training: Whether dropout is on.

        Returns:
            float32 `[batch, length, latent_dim]`.
        """
        raise NotImplementedError

    def latents(
        self, items: tf.Tensor, noise: tf.Tensor | None, training: bool = False
    ) -> tf.Tensor:
        """Returns the latent at every position: `draw` after `encode`."""
        return self.draw(self.encode(items, training), noise, training)

    def make_softmax(self) -> ItemSoftmax:
        """Returns the layer behind `decode` that the settings ask for."""
        c = self.config
        return ItemSoftmax(
            self.num_items,
            c.label_smoothing,
            c.matmul_dtype,
            self.embedding if c.tie_weights else None,
            c.cosine_scale,
            c.softmax_samples if c.sampled else 0,
            name="item_softmax",
        )

    def decode(
        self, latent: tf.Tensor, history: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Returns log p_theta(item | latent) for every item.

        Args:
            latent: float32 `[..., latent_dim]`.
            history: int32 `[batch, length]`, for latents `[batch, latent_dim]`:
                what came before. With `exclude_history` its items get the
                lowest score, and the others share the probability.

        Returns:
            float32 `[..., num_items]`.
        """
        scores = self.item_softmax(self.decoder(latent))
        if history is None or not self.config.exclude_history:
            return scores
        scores = exclude(scores, history)
        total = tf.reduce_logsumexp(scores, -1, keepdims=True)
        # Finite where nothing is left, and too small to change the lowest.
        return scores - tf.maximum(total, -1e6)

    def adapt(self, batches: tf.data.Dataset) -> None:
        """Tells the sampled softmax how popular each item is."""
        if self.config.sampled:
            items = batches.map(lambda batch: batch.items)
            self.item_softmax.order_by(count_items(items, self.num_items))

    def draw_noise(self, items: tf.Tensor) -> tf.Tensor:
        """Draws eps for every position of `items`."""
        shape = [*tf.unstack(tf.shape(items)), self.noise_dim]
        return keras.random.normal(shape, seed=self.noise_seed)

    def noise(self, seed: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """Returns the draws of eps, position by position, that a seed gives.

        Args:
            seed: int `[2]`.
            items: int32 `[batch, length]`.

        Returns:
            float32 `[length, noise_dim]`; a longer batch appends to it.
        """
        return tf.random.stateless_normal(
            [tf.shape(items)[1], self.noise_dim], seed, alg="philox"
        )

    def latent(
        self, history: tf.Tensor, noise: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Returns the latent after the last item of each history.

        Args:
            history: int32 `[batch, length]`, at most `max_length` long.
            noise: As for `draw`.

        Returns:
            float32 `[batch, latent_dim]`.
        """
        return self._last_latents(history, [noise])[0]

    def _last_latents(
        self, history: tf.Tensor, noises: list[tf.Tensor | None]
    ) -> list[tf.Tensor]:
        """Returns what `latent` does for each noise, encoding once."""
        # One position at least, so that an empty history reads padding.
        lacking = tf.cast(tf.shape(history)[1] == 0, tf.int32)
        padding = [[0, 0], [0, lacking]]
        last = tf.reduce_sum(tf.cast(history > 0, tf.int32), 1) - 1
        last = tf.maximum(last, 0)
        # The posterior sees no more than it needs: `reach` positions, the
        # first ones where there are fewer, then followed by what does not
        # matter.
        first = tf.maximum(last - self.reach + 1, 0)
        history = tf.pad(history, padding)
        positions = tf.minimum(
            first[:, None] + tf.range(self.reach), tf.shape(history)[1] - 1
        )

        def read(values):
            return tf.gather(values, positions, batch_dims=1)

        encoded = tf.nest.map_structure(read, self.encode(history))
        return [
            tf.gather(
                self.draw(
                    encoded,
                    None
                    if noise is None
                    else read(tf.pad(noise, [*padding, [0, 0]])),
                ),
                last - first,
                batch_dims=1,
            )
            for noise in noises
        ]

    def _draws(self, history: tf.Tensor) -> list[tf.Tensor]:
        """Returns the latents whose predictions are averaged.

        The draws are always the same, so that a history has one answer, alone
        or in a batch.
        """
        history = newest(history, self.config.max_length)
        rows = tf.shape(history)[0]
        noises = [
            tf.repeat(self.noise([0, i], history)[None], rows, 0)
            for i in range(self.config.posterior_samples)
        ]
        return self._last_latents(history, noises or [None])

    def score(self, history: tf.Tensor) -> tf.Tensor:
        """Returns the log-probability of every item to come next.

        Averages the predictive distribution over `posterior_samples` draws of
        the posterior, or takes eps = 0 when that is 0.
        """
        draws = [
            self.decode(latent, history) for latent in self._draws(history)
        ]
        if len(draws) == 1:
            return draws[0]
        return tf.reduce_logsumexp(tf.stack(draws), 0) - tf.math.log(
            float(len(draws))
        )

    def block_scores(
        self, history: tf.Tensor
    ) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        """See base class. Logits suffice, unless draws are averaged.

        Whatever range is asked for, all is computed in the same tiles. So its
        scores are the same to the last bit.
        """
        hidden = [self.decoder(latent) for latent in self._draws(history)]
        totals = [0.0]
        if hidden[1:]:
            totals = [self._log_total(h, history) for h in hidden]
        width = self.item_softmax.tile

        def tile(start):
            logs = [
                self.item_softmax.logits(h, start) - total
                for h, total in zip(hidden, totals, strict=True)
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
            rows = tf.reshape(rows, [tf.shape(history)[0], -1])
            return rows[:, start - first : stop - first]

        return scores

    def _log_total(self, hidden: tf.Tensor, history: tf.Tensor) -> tf.Tensor:
        """Returns the log of the sum of exp(logit), `[batch, 1]`."""

        def add(total, start, stop):
            logits = self.item_softmax.logits(hidden, start)[:, : stop - start]
            if self.config.exclude_history:
                inside = (history > start) & (history <= stop)
                logits = exclude(logits, tf.where(inside, history - start, 0))
            logits = tf.cast(logits, tf.float64)
            logits = tf.concat([total, logits], 1)
            return tf.reduce_logsumexp(logits, 1, keepdims=True)

        nothing = tf.fill(
            [tf.shape(hidden)[0], 1], tf.constant(float("-inf"), tf.float64)
        )
        total = over_blocks(
            add, nothing, self.num_items, self.item_softmax.tile
        )
        return tf.cast(total, tf.float32)

    def adamw(self, learning_rate: Any) -> keras.optimizers.Optimizer:
        """Returns the default optimizer.

        Args:
            learning_rate: A number or a Keras schedule.
        """
        made = LazyAdamW if self.config.sampled else keras.optimizers.AdamW
        return made(learning_rate, weight_decay=self.config.weight_decay)

    def catch_up(self) -> None:
        """Brings all rows of the item tables up to date."""
        if isinstance(self.optimizer, LazyAdamW):
            self.optimizer.catch_up()

    def make_terms(self, *names: str) -> None:
        """Creates a mean for each term of the objective; in `compile`."""
        self.terms = {name: keras.metrics.Mean(name=name) for name in names}

    def update_terms(
        self, values: dict[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """Adds a step's terms to their means; what `train_step` returns.

        Args:
            values: One scalar for each name, this replica's part of its sum
                over the global batch.
        """
        # A replica holds its part of each sum; a mean over replicas of
        # `replicas` times the part is the sum.
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        for name, metric in self.terms.items():
            metric.update_state(replicas * values[name], 1 / replicas)
        return {name: metric.result() for name, metric in self.terms.items()}
