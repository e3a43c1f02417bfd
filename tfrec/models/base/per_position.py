"""The base of every model with a latent at each position of a sequence."""

import keras
import tensorflow as tf

from tfrec.batches import Query, TrainingBatch
from tfrec.layers.critics import Critic, Pairs
from tfrec.layers.critics.replicas import sum_of_replicas
from tfrec.layers.encoders import Encoder
from tfrec.layers.losses import coming
from tfrec.layers.posteriors import (
    Draw,
)
from tfrec.models.base.bound import BOUND_TERMS, annealed_bound
from tfrec.models.base.learned import Player, Rate, Terms
from tfrec.models.base.parts import (
    make_critic,
    make_encoder,
    make_posterior,
    make_recognition,
    make_regularizer,
)
from tfrec.models.base.position_latents import PositionLatents
from tfrec.models.configs.per_position import PerPositionConfig
from tfrec.settings import Settings
from tfrec.shapes import Positions


class PerPosition(PositionLatents):
    """Encoder x posterior x regularisers x decoder, each chosen by settings.

        items -> embedding -> encoder -> posterior -> decoder -> item logits
                                             |
               z, and log q(z | x) - log p(z) where it is known; where it is
               not, an adversary estimates it; a critic may contrast users

    With `--prior=learned` (a conditional variational autoencoder, Sohn et al.,
    NIPS'15) `posterior` is the prior p(z | h), all that a history h tells, and
    `recognition` the posterior q(z | h, x'), which sees the mean vector of x',
    the items that come next, as many as `--target_window` predicts. It
    is written in the prior's coordinates (Vahdat and Kautz, NeurIPS'20): with
    z = f_h(mu_p(h) + sigma_p(h) u) it draws u, whose prior is N(0, I), where
    f_h are the `--prior_flows`, none by default.

    Args:
        num_items: Number of items in the vocabulary, padding not counted.
        config: Settings of the model; its defaults when absent.
        num_users: Not used.
    """

    config_class = PerPositionConfig
    config: PerPositionConfig

    def __init__(
        self,
        num_items: int,
        config: Settings | None = None,
        num_users: int = 0,
    ):
        super().__init__(num_items, config, num_users)
        c = self.config
        self.make_embedding()
        self.encoder = self.make_encoder()
        self.posterior = make_posterior(c, self.encoder.dim)
        self.recognition = make_recognition(c)
        # An implicit posterior has its dropout inside, before the latent.
        self.latent_dropout = keras.layers.Dropout(
            0.0 if c.posterior == "implicit" else c.dropout
        )
        wide = c.embedding_dim if c.tie_weights else c.decoder_units
        self.decoder = keras.layers.Dense(
            wide or c.embedding_dim,
            activation=c.decoder,
            # The item biases do for a linear one.
            use_bias=c.decoder != "linear",
            name="decoder",
        )
        self.make_head()
        self.adversary, self.critic = make_regularizer(c), make_critic(c)
        self.encoder.build((None, None, c.embedding_dim))
        self.posterior.build((None, None, self.encoder.dim))
        if self.recognition:
            seen = self.encoder.dim + c.embedding_dim
            self.recognition.build((None, None, seen))
        self.decoder.build((None, self.posterior.dim))
        self.build_head(self.decoder.units)
        for critic in self.critics:
            critic.build(
                (None, None, c.embedding_dim),
                (None, None, self.posterior.drawn_dim),
            )
        self.built = True

    def make_encoder(self) -> Encoder:
        """Returns what reads the embedded items, not yet built.

        A model whose paper has an encoder of its own overrides this.
        """
        return make_encoder(self.config)

    @property
    def critics(self) -> dict[Critic, float]:
        """The critics that train beside the model, and their weights."""
        c = self.config
        weights = {
            self.adversary: c.adversarial_weight,
            self.critic: c.contrastive_weight,
        }
        return {critic: w for critic, w in weights.items() if critic}

    @property
    def least_rows(self) -> int:
        """Two where a critic compares the sequences of a batch."""
        return max([1, *(critic.least_rows for critic in self.critics)])

    def states(self, query: Query, training: bool = False) -> tf.Tensor:
        """Returns the encoder's states; see the base class."""
        embedded = self.embed(query.history, training)
        return self.encoder(embedded, training=training)

    def decode_states(
        self, latent: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """Decodes latents; see the base class.

        Args:
            latent: `[..., dim]`, what the posterior draws.
            training: Whether dropout is on.
        """
        latent = self.latent_dropout(latent, training=training)
        return self.decoder_dropout(self.decoder(latent), training=training)

    # Training ---------------------------------------------------------------

    @property
    def terms(self) -> tuple[str, ...]:
        """See base class."""
        names = ["loss", "reconstruction"]
        if self.posterior.knows_density:
            names = [*BOUND_TERMS, *self.posterior.extras]
        for critic in self.critics:
            names += critic.terms
        return tuple(names)

    def draw_noise(self, shape: tf.Tensor) -> tf.Tensor:
        """Draws eps for positions of a shape, `[..., noise_dim]`."""
        shape = [*tf.unstack(shape), self.posterior.noise_dim]
        return keras.random.normal(shape, seed=self.noise_seed)

    def objective(self, batch: TrainingBatch, training: bool = True) -> Terms:
        """Returns the negative of a bound on log p(x), and what is added.

            -E_q[log p(x | z)] + beta KL(q(z | x) || p(z))    where it is known
                               + alpha E_q[T(x, z)]           the KL, estimated
                               + contrastive_weight (eq. 12 of ACVAE)

        with what `--objective`, `--regularizer` and `--contrast` put in their
        places.

        `bound`, with beta = 1 and nothing added, bounds -log p(x) from above;
        with a `--target_window` the mean of -log p(x) over the items in it.
        """
        query, valid = batch.query, batch.targets > 0
        states = self.states(query, training)
        positions = Positions.where(valid, batch.weight)
        following = coming(batch.targets, self.config.target_window)
        draw, latents = self._draw(states, following, positions, training)
        hidden = self.decode_states(draw.latent, training)
        reconstruction = self.prediction_loss(hidden, batch, positions)
        terms = {"loss": reconstruction, "reconstruction": reconstruction}
        if draw.kl is not None:
            terms = annealed_bound(
                self,
                reconstruction,
                positions.sum(draw.kl),
                batch.weight,
                self._penalty(draw, positions),
            )
            terms |= {n: positions.sum(v) for n, v in draw.extras.items()}
        pairs = Pairs(
            query.history,
            valid,
            batch.weight,
            positions,
            self.drawn(draw.latent),
            None if latents is None else self.drawn(latents),
            self.embedding,
        )
        for critic, weight in self.critics.items():
            terms |= critic.judge(pairs, self.noise_seed)
            terms["loss"] += weight * terms[critic.encoder_term]
        return terms

    def _penalty(self, draw: Draw, positions: Positions) -> tf.Tensor | None:
        """Returns what beta weighs where it is not the KL divergence.

        With `--free_bits` the KL, or these where they are more, of the mean
        over positions (Kingma et al., NIPS'16, appendix C.8). With
        `--objective=printed` what VASER's eq. 9 prints; but for a constant,
        -log p(z_K) is half the square of its length.
        """
        c = self.config
        if c.objective == "printed":
            square = tf.reduce_sum(tf.square(self.drawn(draw.latent)), -1)
            return positions.sum(sum(draw.extras.values(), 0.5 * square))
        if c.free_bits:
            kl = positions.sum(draw.kl)
            free = c.free_bits * tf.reduce_sum(positions.weights)
            more = sum_of_replicas(tf.stop_gradient(kl - free)) > 0
            return tf.where(more, kl, free)
        return None

    def _draw(
        self,
        states: tf.Tensor,
        following: tf.Tensor,
        positions: Positions,
        training: bool,
    ) -> tuple[Draw, tf.Tensor | None]:
        """Draws z at the positions, and at all where that is asked for.

        Args:
            states: `[batch, length, units]`.
            following: int32 `[batch, length, window]`, the items that come.
            positions: The valid ones.
            training: Whether dropout is on.
        """
        whole = any(critic.needs_sequences for critic in self.critics)
        if self.posterior.reach == 1 and not whole:
            # Position by position: only the valid ones.
            states, following = (
                positions.read(states),
                positions.read(following),
            )
            noise = self.draw_noise(tf.shape(states)[:1])
            return self.draw_posterior(states, following, noise, training), None
        noise = self.draw_noise(tf.shape(states)[:2])
        draw = self.draw_posterior(states, following, noise, training)
        at_positions = Draw(
            positions.read(draw.latent),
            None if draw.kl is None else positions.read(draw.kl),
            {name: positions.read(x) for name, x in draw.extras.items()},
        )
        return at_positions, draw.latent

    def draw_posterior(
        self,
        states: tf.Tensor,
        following: tf.Tensor,
        noise: tf.Tensor | None,
        training: bool = False,
    ) -> Draw:
        """Draws from what training draws from, with log q - log p.

        Args:
            states: `[..., units]`, of the encoder.
            following: int32 `[..., window]`, the items that come next, 0 for
                none, which only the posterior beside a learned prior sees.
            noise: Standard normal draws, `[..., noise_dim]`; None for zeros.
            training: Whether dropout is on.
        """
        if not self.recognition:
            return self.posterior(states, noise, training=training)
        seen = self.recognition.see(
            states, self.embedding(following), following > 0
        )
        draw = self.recognition(seen, noise, training=training)
        # The KL divergence is the same in all coordinates.
        return draw._replace(latent=self.posterior.place(states, draw.latent))

    def posterior_draws(
        self, query: Query, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """See base class; where the prior is learned, of q(z | h, x')."""
        if not self.recognition:
            return super().posterior_draws(query, seed)
        query = self.read_newest(query)
        states = self.states(query)[:, :-1]
        following = coming(query.history[:, 1:], self.config.target_window)
        shape = [*tf.unstack(tf.shape(following))[:2], self.posterior.noise_dim]
        noise = tf.random.stateless_normal(shape, seed)

        def draw(eps):
            latent = self.draw_posterior(states, following, eps).latent
            return tf.boolean_mask(latent, following[..., 0] > 0)

        return draw(noise), draw(None)

    def players(self, rate: Rate) -> list[Player]:
        """Returns the model, and each critic that learns; see base class.

        The critics keep their rate, to follow a model that settles.
        """
        c = self.config
        own = {id(v) for k in self.critics for v in k.trainable_variables}
        cycle = 1 + c.alternate_updates
        players = [
            Player(
                "model",
                "loss",
                [v for v in self.trainable_variables if id(v) not in own],
                self.adamw(rate(c.learning_rate, every=cycle)),
                cycle=cycle,
            )
        ]
        made = {"sgd": keras.optimizers.SGD, "adam": keras.optimizers.AdamW}
        for critic in self.critics:
            if not critic.trainable_variables:
                continue
            # With the model where they share its loss, else in its turn.
            turn = 0 if critic.own_term == "loss" else cycle - 1
            players.append(
                Player(
                    critic.name,
                    critic.own_term,
                    critic.trainable_variables,
                    made[c.critic_optimizer](
                        c.critic_learning_rate,
                        weight_decay=c.critic_weight_decay,
                    ),
                    (turn,),
                    cycle,
                )
            )
        return players
