"""The posterior of ReLaVaR: the units of a GRU are Gaussian."""

import tensorflow as tf

from tfrec.layers.gaussian import Gaussian
from tfrec.layers.posteriors.base import Draw, Posterior, log_scale_layer
from tfrec.layers.recurrent import GRU, advance


class RecurrentPosterior(Posterior):
    """z_t ~ N(m_t, diag s_t^2), m_t = GRU(x_t, z_{t-1}), from z_0 = 0.

    What is drawn goes on: it is the state that the next step reads. log s_t is
    an affine function of tanh(m_t): of m_t itself, a draw far out would have a
    scale that sends the next one farther.

    Args:
        latent_dim: Size of the latent, which is the state of the GRU.
        initial_scale: s_t when training starts.
    """

    # Everything before, and every draw there.
    reach = 2**30

    def __init__(self, latent_dim: int, initial_scale: float, **kwargs):
        super().__init__(**kwargs)
        self.noise_dim = self.dim = self.drawn_dim = latent_dim
        self.gru = GRU(latent_dim, name="gru")
        self.log_scale = log_scale_layer(latent_dim, initial_scale)

    def build(self, input_shape):
        """Builds for what is read, `[batch, length, dim]`."""
        self.gru.build(input_shape)
        self.log_scale.build((*input_shape[:-1], self.dim))

    def call(
        self,
        states: tf.Tensor,
        noise: tf.Tensor | None,
        training: bool = False,
    ) -> Draw:
        """See base class. Without noise, the means; the KL in closed form."""
        if noise is None:
            mean = latent = self.gru(states, training=training)
        else:
            latent, mean = self._draw(states, noise)
        log_scale = self.log_scale(tf.tanh(mean))
        return Draw(latent, Gaussian(mean, 2.0 * log_scale).kl(), {})

    def _draw(
        self, states: tf.Tensor, noise: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns z and m, `[batch, length, dim]` each."""
        gates_in, candidates_in, kernel, bias = self.gru.project(states)
        to_scale = tf.convert_to_tensor(self.log_scale.kernel)
        scale_bias = tf.convert_to_tensor(self.log_scale.bias)

        def step(before, read):
            *read, eps = read
            mean = advance(before[0], *read, kernel, bias)
            scale = tf.exp(tf.tanh(mean) @ to_scale + scale_bias)
            return mean + scale * eps, mean

        noise = tf.transpose(noise, [1, 0, 2])
        start = tf.zeros(tf.shape(noise)[1:])
        steps = tf.scan(step, (gates_in, candidates_in, noise), (start, start))
        return tuple(tf.transpose(each, [1, 0, 2]) for each in steps)
