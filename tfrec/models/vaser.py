"""VASER: variational session-based recommendation, normalizing flows (WWW'19).

Zhou, Wen, Zhang, Trajcevski, Zhong: Variational Session-based Recommendation
Using Normalizing Flows. https://doi.org/10.1145/3308558.3313615
Equation numbers below are the paper's.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfrec.batches import TrainingBatch
from tfrec.layers.flow_posterior import FlowPosterior, Sample
from tfrec.layers.item_embedding import ItemEmbedding
from tfrec.layers.recurrent import GRU
from tfrec.layers.session_attention import SessionAttention
from tfrec.models.configs.vaser import VASERConfig
from tfrec.models.variational import VariationalRecommender
from tfrec.shapes import Positions


class VASER(VariationalRecommender):
    """The model and its objective, eq. 9 with the signs of eq. 7.

    One causal pass over a session trains every prefix: position t reads the
    clicks up to x_t and predicts x_{t+1}.

    Args:
        num_items: Number of items in the vocabulary.
        config: Settings.
    """

    config_class = VASERConfig

    def __init__(self, num_items: int, config: VASERConfig | None = None):
        super().__init__(num_items, config)
        c = self.config
        self.embedding = ItemEmbedding(
            num_items + 1,
            c.embedding_dim,
            # As item vectors of the softmax too: short enough for quiet logits.
            embeddings_initializer=keras.initializers.RandomNormal(
                stddev=c.embedding_dim**-0.5
            ),
            name="item_embedding",
        )
        self.embedding_dropout = keras.layers.Dropout(c.embedding_dropout)
        self.encoder = GRU(c.gru_units, name="encoder")
        self.attention = SessionAttention(name="attention")
        self.posterior = FlowPosterior(c.latent_dim, c.flows, name="posterior")
        self.attention_posterior = None
        if c.attention_posterior:
            self.attention_posterior = FlowPosterior(
                c.gru_units, c.flows, name="attention_posterior"
            )
        self.dropout = keras.layers.Dropout(c.dropout)
        # B of logits = E B [z_K; c].
        self.decoder = keras.layers.Dense(
            c.embedding_dim, use_bias=False, name="decoder"
        )
        self.item_softmax = self.make_softmax()
        self._build_layers()

    def _build_layers(self) -> None:
        c = self.config
        hidden = (None, None, c.gru_units)
        self.embedding.build((None, None))
        self.encoder.build((None, None, c.embedding_dim))
        self.attention.build(hidden)
        self.posterior.build(hidden)
        if self.attention_posterior:
            self.attention_posterior.build(hidden)
        self.decoder.build((None, None, c.latent_dim + c.gru_units))
        self.item_softmax.build((None, c.embedding_dim))
        self.built = True

    # Scoring ------------------------------------------------------------

    @property
    def noise_dim(self) -> int:
        """Number of standard normal draws behind z_0, and c_0 if random."""
        c = self.config
        return c.latent_dim + (c.gru_units if c.attention_posterior else 0)

    @property
    def posterior_dim(self) -> int:
        """Dimensions of z_K, and of c_K if random."""
        return self.noise_dim

    def encode(
        self, items: tf.Tensor, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the states h_t and the attention vectors c_t.

        Args:
            items: int32 `[batch, length]`, 0 at the end.
            training: Whether dropout is on.

        Returns:
            Two float32 `[batch, length, gru_units]`.
        """
        embedded = self.embedding_dropout(
            self.embedding(items), training=training
        )
        hidden = self.encoder(embedded, training=training)
        return hidden, self.attention(hidden)

    def sample(
        self, hidden: tf.Tensor, attended: tf.Tensor, noise: tf.Tensor | None
    ) -> Sample:
        """Draws [z_K; c], or [z_K; c_K], at each position, eq. 5 to 8.

        Args:
            hidden: h_t, `[..., gru_units]`.
            attended: c_t, `[..., gru_units]`.
            noise: eps, `[..., noise_dim]`; None for eps = 0.
        """
        eps_z, eps_c = None, None
        if noise is not None:
            eps_z = noise[..., : self.config.latent_dim]
            eps_c = noise[..., self.config.latent_dim :]
        z = self.posterior(hidden, eps_z)
        if not self.attention_posterior:
            return z._replace(latent=tf.concat([z.latent, attended], -1))
        c = self.attention_posterior(attended, eps_c)
        return Sample(
            tf.concat([z.latent, c.latent], -1),
            z.log_det + c.log_det,
            z.kl + c.kl,
        )

    def draw(
        self,
        encoded: tuple[tf.Tensor, tf.Tensor],
        noise: tf.Tensor | None,
        training: bool = False,
    ) -> tf.Tensor:
        """Returns [z_K; c] at every position; see the base class."""
        return self.sample(*encoded, noise).latent

    # Training -----------------------------------------------------------

    def compile(
        self,
        optimizer: Any = None,
        schedule: Callable[..., Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Sets the optimizer; AdamW by default.

        Args:
            optimizer: A Keras optimizer.
            schedule: Makes a Keras schedule from the learning rate of the
                default optimizer; constant without it.
            **kwargs: Passed to `Recommender.compile`.
        """
        c = self.config
        rate = schedule(c.learning_rate) if schedule else c.learning_rate
        super().compile(
            optimizer=optimizer or self.adamw(rate),
            **kwargs,
        )
        self.optimizer.build(self.trainable_variables)
        self.make_terms(
            "loss", "reconstruction", "kl", "log_det", "bound", "beta"
        )

    def beta(self) -> tf.Tensor:
        """Returns the weight of the KL terms at the current step."""
        c = self.config
        if not c.anneal_steps:
            return tf.constant(c.flow_weight)
        step = tf.cast(self.optimizer.iterations, tf.float32)
        return c.flow_weight * tf.minimum(step / c.anneal_steps, 1.0)

    def objective(
        self, items: tf.Tensor, weight: tf.Tensor, training: bool = True
    ) -> dict[str, tf.Tensor]:
        """Returns the negative of eq. 9 and its terms, to minimise.

            -E[log p(s | z_K)]
            + beta E[log q_0(z_0) - sum_k log|det df_k| - log p(z_K)]

        Eq. 9 prints the log-determinant with the opposite sign, and drops
        E[log q_0(z_0)] as a constant; it depends on sigma and is kept.

        Args:
            items: int32 `[batch, length + 1]`, 0 at the end.
            weight: float32 `[batch]`, 1 / sessions in the global batch.
            training: Whether dropout is on.

        Returns:
            Scalars, sums over valid positions weighted per session: `loss`,
            `reconstruction`, `kl`, `log_det`, and `bound`, the loss with
            beta = 1, which bounds -log p(s) from above; and `beta`.
        """
        inputs, targets = items[:, :-1], items[:, 1:]
        hidden, attended = self.encode(inputs, training)
        # Everything else is per position: only the valid ones.
        positions = Positions.where(targets > 0, weight)
        places, weights = positions
        noise = keras.random.normal(
            [tf.shape(places)[0], self.noise_dim], seed=self.noise_seed
        )
        sample = self.sample(
            positions.read(hidden),
            positions.read(attended),
            noise,
        )
        reconstruction = self.item_softmax.loss(
            self.decoder(self.dropout(sample.latent, training=training)),
            positions.read(targets)[:, None],
            weights,
            inputs if self.config.exclude_history else None,
            places,
        )
        kl = tf.reduce_sum(weights * sample.kl)
        beta = self.beta()
        # Not 0 * kl: with beta = 0 nothing holds the KL, and it may overflow.
        loss = reconstruction
        if self.config.flow_weight:
            loss += beta * kl
        return {
            "loss": loss,
            "reconstruction": reconstruction,
            "kl": kl,
            "log_det": tf.reduce_sum(weights * sample.log_det),
            "bound": reconstruction + kl,
            "beta": beta * tf.reduce_sum(weight),
        }

    def train_step(self, batch: TrainingBatch) -> dict[str, tf.Tensor]:
        """Steps every variable on one batch."""
        self.count_tokens(batch.items)
        with tf.GradientTape() as tape:
            terms = self.objective(batch.items, batch.weight)
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(terms["loss"], variables))
        return self.update_terms(terms)
