"""The base of models with a latent at each position: reading and drawing it."""

import tensorflow as tf

from tfrec.batches import Query
from tfrec.layers.posteriors import Posterior
from tfrec.models.base.latent import Latent, row_noise
from tfrec.models.base.next_item import NextItem
from tfrec.models.configs.per_position import PerPositionConfig


class PositionLatents(NextItem):
    """A causal model whose states a posterior turns into latents.

    A subclass makes `posterior`, and its `decode_states` decodes latents.

    Attributes:
        posterior: q(z | x), from the states.
    """

    config: PerPositionConfig
    posterior: Posterior

    @property
    def reach(self) -> int:
        """Positions of the states that a latent depends on."""
        return self.posterior.reach

    def drawn(self, latent: tf.Tensor) -> tf.Tensor:
        """Returns what the posterior draws, without a context beside it."""
        drawn = self.posterior.drawn_dim
        return latent if drawn == self.posterior.dim else latent[..., :drawn]

    def latent(self) -> Latent:
        """See base class."""
        return self

    def noise(self, seed: tf.Tensor, history: tf.Tensor) -> tf.Tensor:
        """Returns the draws of eps, position by position, that a seed gives.

        Args:
            seed: int `[2]`.
            history: int32 `[batch, length]`.

        Returns:
            float32 `[length, noise_dim]`; a longer batch appends to it.
        """
        return tf.random.stateless_normal(
            [tf.shape(history)[1], self.posterior.noise_dim],
            seed,
            alg="philox",
        )

    def latents_after(
        self, query: Query, noises: list[tf.Tensor | None]
    ) -> list[tf.Tensor]:
        """Returns the latent after each history for each noise, encoding once.

        Args:
            query: What to read, see `read_newest`.
            noises: Each `[batch, length, noise_dim]`; None for eps = 0.

        Returns:
            float32 `[batch, dim]` each.
        """
        states, read, last = self.last_states(query)

        def after(states, noise, last):
            latent = self.posterior(states, noise).latent
            return tf.gather(latent, last, batch_dims=1)

        given = [read(noise) for noise in noises if noise is not None]
        drawn, many = iter(()), len(given)
        if given:
            # All draws as one batch.
            states_of_all = tf.tile(states, [many, 1, 1])
            last_of_all = tf.tile(last, [many])
            latents = after(states_of_all, tf.concat(given, 0), last_of_all)
            drawn = iter(tf.split(latents, many))
        return [
            after(states, None, last) if noise is None else next(drawn)
            for noise in noises
        ]

    @property
    def averages_draws(self) -> bool:
        """See base class."""
        return self.config.posterior_samples > 1

    def hidden_draws(self, query: Query) -> list[tf.Tensor]:
        """See base class: one for each of `posterior_samples`, or eps = 0.

        The draws are always the same, so that a history has one answer, alone
        or in a batch.
        """
        query = self.read_newest(query)
        rows = tf.shape(query.history)[0]
        noises = [
            tf.repeat(self.noise([0, i], query.history)[None], rows, 0)
            for i in range(self.config.posterior_samples)
        ]
        latents = self.latents_after(query, noises or [None])
        return [self.decode_states(latent) for latent in latents]

    def encode(self, query: Query) -> tf.Tensor:
        """See `Latent`."""
        return self.latents_after(self.read_newest(query), [None])[0]

    def sample(self, query: Query, seeds: tf.Tensor) -> tf.Tensor:
        """See `Latent`."""
        query = self.read_newest(query)
        shape = [tf.shape(query.history)[1], self.posterior.noise_dim]
        noise = row_noise(seeds, shape)
        return self.latents_after(query, [noise])[0]

    def decode(self, latent: tf.Tensor, query: Query) -> tf.Tensor:
        """See `Latent`."""
        return self.log_probabilities(self.decode_states(latent), query)

    def posterior_draws(
        self, query: Query, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """See `Latent`: draws at every position."""
        query = self.read_newest(query)
        shape = [*tf.unstack(tf.shape(query.history)), self.posterior.noise_dim]
        noise = tf.random.stateless_normal(shape, seed)
        states, valid = self.states(query), query.history > 0

        def draw(eps):
            latent = self.drawn(self.posterior(states, eps).latent)
            return tf.boolean_mask(latent, valid)

        return draw(noise), draw(None)
