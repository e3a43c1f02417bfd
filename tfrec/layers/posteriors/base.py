"""What every posterior shares: noise in, one typed draw out."""

import math
from typing import NamedTuple

import keras
import tensorflow as tf


class Draw(NamedTuple):
    """A draw from the posterior at `[...]` positions.

    Attributes:
        latent: What the decoder reads, float32 `[..., dim]`.
        kl: The KL divergence to the prior, N(0, I) unless it is learned, or
            what has it as its mean over draws, log q(z | x) - log p(z) at the
            draw, float32 `[...]`; None where the density is not known.
        extras: What else is worth a look, float32 `[...]` each, by name.
    """

    latent: tf.Tensor
    kl: tf.Tensor | None
    extras: dict[str, tf.Tensor]


class Posterior(keras.layers.Layer):
    """q(z | x): from the encoder's states to a draw at every position.

    Given the noise, a draw is a deterministic, causal function of the states.

    Attributes:
        noise_dim: Standard normal draws behind one latent.
        dim: Size of the latent.
        drawn_dim: Its leading dimensions that the noise moves.
        reach: Positions of the states that a latent depends on, its own and
            those before it. With 1 positions may be taken one by one.
        knows_density: Whether `Draw.kl` is known.
        extras: Names of `Draw.extras`.
    """

    noise_dim: int
    dim: int
    drawn_dim: int
    reach = 1
    knows_density = True
    extras: tuple[str, ...] = ()

    def call(
        self,
        states: tf.Tensor,
        noise: tf.Tensor | None,
        training: bool = False,
    ) -> Draw:
        """Draws one latent for each position.

        Args:
            states: float32 `[..., units]`; with a `reach` above 1 `[batch,
                length, units]`.
            noise: Standard normal draws, `[..., noise_dim]`; None for zeros,
                the latent that evaluation uses.
            training: Whether dropout is on.
        """
        raise NotImplementedError


def log_scale_layer(dim: int, initial: float) -> keras.layers.Dense:
    """Returns the affine function from a state to the log of a scale.

    Args:
        dim: Size of the latent.
        initial: The scale when training starts, whatever the state.
    """
    return keras.layers.Dense(
        dim,
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(math.log(initial)),
        dtype="float32",
        name="log_scale",
    )


class BesideContext(Posterior):
    """[z; c]: a latent of the state h, beside the attention vector c.

    VASER, section 4.5.1: c is deterministic, or has a posterior of its own,
    q(c_K).

    Args:
        posterior: Of h; its size is that of the first half of the states.
        context_posterior: Of c, the second half; None for c itself.
        units: Size of h, and of c.
    """

    def __init__(
        self,
        posterior: Posterior,
        context_posterior: Posterior | None,
        units: int,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.of_state = posterior
        self.of_context = context_posterior
        self.units = units
        self.noise_dim = posterior.noise_dim
        self.drawn_dim = posterior.dim
        self.dim = posterior.dim + units
        self.reach = posterior.reach
        self.knows_density = posterior.knows_density
        self.extras = posterior.extras
        if context_posterior:
            self.noise_dim += context_posterior.noise_dim
            self.drawn_dim += context_posterior.dim

    def build(self, input_shape):
        """Builds for states [h; c], `[..., 2 * units]`."""
        half = (*input_shape[:-1], self.units)
        self.of_state.build(half)
        if self.of_context:
            self.of_context.build(half)

    def call(
        self,
        states: tf.Tensor,
        noise: tf.Tensor | None,
        training: bool = False,
    ) -> Draw:
        """See base class."""
        state, context = tf.split(states, 2, -1)
        of_state = of_context = None
        if noise is not None:
            of_state = noise[..., : self.of_state.noise_dim]
            of_context = noise[..., self.of_state.noise_dim :]
        z = self.of_state(state, of_state, training=training)
        if not self.of_context:
            return z._replace(latent=tf.concat([z.latent, context], -1))
        c = self.of_context(context, of_context, training=training)
        return Draw(
            tf.concat([z.latent, c.latent], -1),
            None if z.kl is None else z.kl + c.kl,
            {name: z.extras[name] + c.extras[name] for name in self.extras},
        )
