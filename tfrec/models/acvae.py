"""ACVAE: adversarial and contrastive variational autoencoder (WWW'21).

Xie, Liu, Zhang, Lu, Wang, Ding: Adversarial and Contrastive Variational
Autoencoder for Sequential Recommendation. https://doi.org/10.1145/3442381.3449873
Equation numbers below are the paper's.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfrec.batches import TrainingBatch
from tfrec.errors import InputError
from tfrec.layers.discriminators import Adversary, ContrastiveCritic
from tfrec.layers.implicit_posterior import ImplicitPosterior
from tfrec.layers.item_embedding import ItemEmbedding
from tfrec.layers.recurrent import GRU
from tfrec.models.configs.acvae import ACVAEConfig
from tfrec.models.recommender import coming, count_items
from tfrec.models.variational import VariationalRecommender
from tfrec.shapes import Positions


class ACVAE(VariationalRecommender):
    """The model and its two objectives, eq. 13.

    Args:
        num_items: Number of items in the vocabulary.
        config: Settings.
    """

    config_class = ACVAEConfig

    def __init__(self, num_items: int, config: ACVAEConfig | None = None):
        super().__init__(num_items, config)
        c = self.config
        # phi: embedding, encoder, posterior.
        self.embedding = ItemEmbedding(
            num_items + 1,
            c.embedding_dim,
            # Items far apart from the start: with Keras's tiny default the
            # encoder cannot tell them apart for many epochs. As vectors of
            # the softmax they have to be shorter.
            embeddings_initializer=keras.initializers.RandomNormal(
                stddev=c.embedding_dim**-0.5 if c.tie_weights else 1.0
            ),
            name="item_embedding",
        )
        self.embedding_dropout = keras.layers.Dropout(c.embedding_dropout)
        self.encoder = GRU(c.gru_units, name="encoder")
        self.posterior = ImplicitPosterior(
            c.latent_dim,
            c.gru_units,
            c.convolution_filters,
            c.kernel_size,
            c.dropout,
            name="posterior",
        )
        # theta: decoder.
        self.decoder = keras.layers.Dense(
            c.embedding_dim if c.tie_weights else c.decoder_units,
            activation="tanh",
            name="decoder",
        )
        self.decoder_dropout = keras.layers.Dropout(c.decoder_dropout)
        self.item_softmax = self.make_softmax()
        # psi and omega.
        self.adversary = Adversary(
            c.critic_units, c.prior_in_adversary, name="adversary"
        )
        self.critic = ContrastiveCritic(c.critic_units, name="critic")
        self._build_layers()

    def _build_layers(self) -> None:
        c = self.config
        items = (None, None, c.embedding_dim)
        latent = (None, None, c.latent_dim)
        self.embedding.build((None, None))
        self.encoder.build(items)
        self.posterior.build((None, None, c.gru_units))
        self.decoder.build(latent)
        self.item_softmax.build((None, self.decoder.units))
        self.adversary.build(items, latent)
        self.critic.build(items, latent)
        self.built = True

    # Scoring ------------------------------------------------------------

    @property
    def noise_dim(self) -> int:
        """Number of standard normal draws behind one latent, eps of eq. 2."""
        return self.posterior.noise_dim

    @property
    def reach(self) -> int:
        """Positions that the causal convolution spans."""
        return self.config.kernel_size

    def encode(self, items: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the states h of eq. 11, `[batch, length, gru_units]`."""
        embedded = self.embedding_dropout(
            self.embedding(items), training=training
        )
        hidden = self.encoder(embedded, training=training)
        if self.config.encoder_activation == "softplus":
            hidden = tf.nn.softplus(hidden)
        return hidden

    def draw(
        self,
        encoded: tf.Tensor,
        noise: tf.Tensor | None,
        training: bool = False,
    ) -> tf.Tensor:
        """Returns z_phi(x, eps), eq. 2 and 10; see the base class."""
        return self.posterior(encoded, noise, training=training)

    # Training -----------------------------------------------------------

    def compile(
        self,
        optimizer: Any = None,
        adversary_optimizer: Any = None,
        critic_optimizer: Any = None,
        schedule: Callable[..., Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Sets the three optimizers; those of section 4.3 by default.

        Args:
            optimizer: For encoder and decoder (phi and theta).
            adversary_optimizer: For T (psi).
            critic_optimizer: For G (omega).
            schedule: Makes a Keras schedule from the learning rate of the
                default `optimizer` and from `every`, the training steps for
                each of its steps; constant without it. The discriminators
                keep theirs, to follow an encoder that settles.
            **kwargs: Passed to `Recommender.compile`.

        Raises:
            InputError: If alternate updates meet a distribution strategy,
                which cannot reduce gradients inside a condition.
        """
        c = self.config
        if c.alternate_updates and tf.distribute.has_strategy():
            raise InputError(
                "`--alternate_updates` must be off under a distribution "
                "strategy. Remove it, or set `--distribution=none`."
            )

        def sgd():
            return keras.optimizers.SGD(
                c.critic_learning_rate, weight_decay=c.critic_weight_decay
            )

        super().compile(
            optimizer=optimizer
            or self.adamw(
                schedule(c.learning_rate, every=1 + c.alternate_updates)
                if schedule
                else c.learning_rate
            ),
            **kwargs,
        )
        self.adversary_optimizer = adversary_optimizer or sgd()
        self.critic_optimizer = critic_optimizer or sgd()
        self.optimizer.build(self.autoencoder_variables)
        self.adversary_optimizer.build(self.adversary.trainable_variables)
        self.critic_optimizer.build(self.critic.trainable_variables)
        self.make_terms(
            "loss",
            "reconstruction",
            "kl_estimate",
            "contrastive",
            "adversary_loss",
        )

    @property
    def autoencoder_variables(self) -> list[keras.Variable]:
        """phi and theta, what the main optimizer steps."""
        return [
            variable
            for layer in (
                self.embedding,
                self.encoder,
                self.posterior,
                self.decoder,
                self.item_softmax,
            )
            for variable in layer.trainable_variables
        ]

    def adapt(self, batches: tf.data.Dataset) -> None:
        """Starts the softmax at the items' popularity.

        The decoder's tanh units would otherwise saturate while they learn it,
        and training stands still at the popularity model for many epochs.
        """
        counts = count_items(
            batches.map(lambda batch: batch.items), self.num_items
        )
        self.item_softmax.start_at(counts)
        if self.config.sampled:
            self.item_softmax.order_by(counts)

    def objectives(
        self, items: tf.Tensor, weight: tf.Tensor, training: bool = True
    ) -> dict[str, tf.Tensor]:
        """Returns both objectives of eq. 13 and their terms, to minimise.

        Sums over valid positions, weighted per sequence, as in Algorithm 1.

        Args:
            items: int32 `[batch, length + 1]`, 0 at the end.
            weight: float32 `[batch]`, 1 / sequences in the global batch.
            training: Whether dropout is on.

        Returns:
            Scalars: `loss` for phi, theta and omega, `adversary_loss` for psi,
            and the terms `reconstruction`, `kl_estimate`, `contrastive`.
        """
        c = self.config
        inputs, targets = items[:, :-1], items[:, 1:]
        valid = targets > 0
        latents = self.latents(inputs, self.draw_noise(inputs), training)

        # Everything but the recurrences is per position: only the valid ones.
        positions = Positions.where(valid, weight)
        places, weights = positions
        latent = positions.read(latents)
        hidden = self.decoder_dropout(self.decoder(latent), training=training)
        reconstruction = self.item_softmax.loss(
            hidden,
            positions.read(coming(targets, c.target_window)),
            weights,
            inputs if c.exclude_history else None,
            places,
        )
        terms = {
            "loss": reconstruction,
            "reconstruction": reconstruction,
            "kl_estimate": tf.constant(0.0),
            "contrastive": tf.constant(0.0),
            "adversary_loss": tf.constant(0.0),
        }
        # x enters both discriminators as data: a constant embedding.
        if c.adversarial_weight:
            embedded = tf.stop_gradient(self.embedding(positions.read(inputs)))
            terms |= self.adversarial_terms(embedded, latent, weights)
            terms["loss"] += c.adversarial_weight * terms["kl_estimate"]
        if c.contrastive_weight:
            embedded = tf.stop_gradient(self.embedding(inputs))
            terms["contrastive"] = self.critic.loss(
                embedded, latents, valid, weight
            )
            terms["loss"] += c.contrastive_weight * terms["contrastive"]
        return terms

    def adversarial_terms(
        self, embedded: tf.Tensor, latent: tf.Tensor, weights: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Returns E_q[T] of eq. 10 and the loss of T, eq. 7.

        Args:
            embedded: Item embeddings, `[n, embedding_dim]`.
            latent: Posterior samples, `[n, latent_dim]`.
            weights: float32 `[n]`.
        """
        prior = keras.random.normal(tf.shape(latent), seed=self.noise_seed)
        # Two passes: the gradient of the first alone goes on to the encoder.
        posterior_logits = self.adversary(embedded, latent)
        prior_logits = self.adversary(embedded, prior)
        each = tf.nn.softplus(-posterior_logits) + tf.nn.softplus(prior_logits)
        return {
            "kl_estimate": tf.reduce_sum(weights * posterior_logits),
            "adversary_loss": tf.reduce_sum(weights * each),
        }

    def train_step(self, batch: TrainingBatch) -> dict[str, tf.Tensor]:
        """Steps phi, theta and omega, and psi, on one batch."""
        c = self.config
        self.count_tokens(batch.items)
        autoencoder = self.autoencoder_variables
        critic = self.critic.trainable_variables if c.contrastive_weight else []
        psi = self.adversary.trainable_variables
        with tf.GradientTape(persistent=True) as tape:
            terms = self.objectives(batch.items, batch.weight)

        def step_autoencoder():
            gradients = tape.gradient(terms["loss"], autoencoder + critic)
            self.optimizer.apply(gradients[: len(autoencoder)])
            if critic:
                self.critic_optimizer.apply(gradients[len(autoencoder) :])

        def step_adversary():
            self.adversary_optimizer.apply(
                tape.gradient(terms["adversary_loss"], psi)
            )

        if not c.adversarial_weight:
            step_autoencoder()
        elif c.alternate_updates:
            steps = self.optimizer.iterations
            steps += self.adversary_optimizer.iterations
            tf.cond(steps % 2 == 0, step_autoencoder, step_adversary)
        else:
            step_autoencoder()
            step_adversary()
        return self.update_terms(terms)
