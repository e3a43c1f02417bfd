"""The posterior of ACVAE: samples, and no density."""

import keras
import tensorflow as tf

from tfrec.layers.causal_convolution import CausalConvolution
from tfrec.layers.posteriors.base import Draw, Posterior


class AddNoise(keras.layers.Layer):
    """Bends Gaussian noise and adds it: h' = h + tanh(W eps + b).

    The "add epsilon" function f_eps of ACVAE, sections 3.3.2 and 3.4.2.
    """

    def build(self, input_shape):
        """Creates W, `[units, units]`, and b."""
        # Quiet at first, so that the noise grows as the objective asks for it
        # and does not drown the states before they say anything.
        self.bend = keras.layers.Dense(
            input_shape[-1],
            activation="tanh",
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.02),
        )
        self.bend.build(input_shape)

    def call(self, hidden: tf.Tensor, noise: tf.Tensor | None) -> tf.Tensor:
        """Returns `hidden` with `noise`, of the same shape or 0, added."""
        if noise is None:
            return hidden + tf.tanh(self.bend.bias)
        return hidden + self.bend(noise)


class ImplicitPosterior(Posterior):
    """z = f_1(f_eps(f_2(x), eps)): a sample of q(z | x) without its density.

    ACVAE, sections 3.4.2 and 3.4.3, in the wider form behind the published
    numbers: noise, then pointwise, softplus, noise, causal convolution,
    softplus, pointwise and softplus, with a residual from the noisy input,
    dropout, and a dense layer to the latent. Given the noise it is a
    deterministic, causal function of the hidden states.

    Args:
        latent_dim: Size of the latent.
        units: Size of the hidden states.
        filters: Channels of the causal convolution.
        kernel_size: Positions that the convolution spans; 1 leaves it out,
            with dense layers in its place (section 4.6.3).
        dropout: Rate before the last layer.
    """

    knows_density = False

    def __init__(
        self,
        latent_dim: int,
        units: int,
        filters: int,
        kernel_size: int,
        dropout: float,
        **kwargs,
    ):
        super().__init__(**kwargs)
        # Two draws of noise per position, one for each place it enters.
        self.noise_dim = 2 * units
        self.dim = self.drawn_dim = latent_dim
        self.reach = kernel_size
        self.first_noise = AddNoise()
        self.second_noise = AddNoise()
        self.narrow = keras.layers.Dense(units, activation="softplus")
        self.convolution = CausalConvolution(filters, kernel_size)
        self.widen = keras.layers.Dense(units, activation="softplus")
        self.dropout = keras.layers.Dropout(dropout)
        self.to_latent = keras.layers.Dense(latent_dim)

    def build(self, input_shape):
        """Builds the stack for hidden states `[batch, length, units]`."""
        wide = (*input_shape[:-1], self.convolution.filters)
        for layer, shape in (
            (self.first_noise, input_shape),
            (self.narrow, input_shape),
            (self.second_noise, input_shape),
            (self.convolution, input_shape),
            (self.widen, wide),
            (self.to_latent, input_shape),
        ):
            layer.build(shape)

    def call(
        self,
        states: tf.Tensor,
        noise: tf.Tensor | None,
        training: bool = False,
    ) -> Draw:
        """See base class. The density is not known, hence the adversary."""
        first = second = None
        if noise is not None:
            first, second = tf.split(noise, 2, axis=-1)
        noisy = self.first_noise(states, first)
        local = self.second_noise(self.narrow(noisy), second)
        local = self.widen(tf.nn.softplus(self.convolution(local)))
        local = self.dropout(noisy + local, training=training)
        return Draw(self.to_latent(local), None, {})
