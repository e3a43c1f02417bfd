"""The posterior of VASER: a Gaussian bent by planar flows."""

import keras
import tensorflow as tf

from tfrec.layers.amortized_flows import AmortizedFlows
from tfrec.layers.planar_flow import PlanarFlows
from tfrec.layers.posteriors.base import Draw, Posterior, log_scale_layer


class FlowPosterior(Posterior):
    """z_0 ~ N(mu(h), sigma(h)^2), z_K = f_K(... f_1(z_0)) (VASER, 3.3).

    In float32 like its flows, whatever the policy.

    Args:
        latent_dim: Size of the latent.
        flows: Number K of planar flows; 0 leaves the Gaussian.
        initial_scale: sigma when training starts. Quiet by default, as in
            ACVAE: noise of size one would drown what the states have to say
            before the decoder has learned to read them.
        amortized: Whether the flows too are functions of the state, or the
            same for all states, as VASER's.
        mean_initializer: Of mu's kernel.
    """

    extras = ("log_det",)

    def __init__(
        self,
        latent_dim: int,
        flows: int,
        initial_scale: float = 0.1,
        amortized: bool = False,
        mean_initializer: str = "glorot_uniform",
        **kwargs,
    ):
        super().__init__(**(kwargs | {"dtype": "float32"}))
        self.noise_dim = self.dim = self.drawn_dim = latent_dim
        self.mean = keras.layers.Dense(
            latent_dim,
            kernel_initializer=mean_initializer,
            dtype="float32",
            name="mean",
        )
        self.log_scale = log_scale_layer(latent_dim, initial_scale)
        self.amortized = amortized and flows > 0
        if self.amortized:
            self.flows = AmortizedFlows(flows, latent_dim, name="flows")
        else:
            self.flows = PlanarFlows(flows, name="flows")

    def build(self, input_shape):
        """Builds for hidden states `[..., units]`."""
        self.mean.build(input_shape)
        self.log_scale.build(input_shape)
        read = input_shape[-1] if self.amortized else self.dim
        self.flows.build((*input_shape[:-1], read))

    def place(self, states: tf.Tensor, standard: tf.Tensor) -> tf.Tensor:
        """Returns the z_K that a standard draw becomes.

        Args:
            states: h, float32 `[..., units]`.
            standard: u, float32 `[..., dim]`, in the place of the noise.

        Returns:
            float32 `[..., dim]`.
        """
        return self._bend(states, standard)[0]

    def _bend(
        self, states: tf.Tensor, standard: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Gives z_K, log sigma `[..., dim]` and the flows' log|det| `[...]`."""
        log_scale = self.log_scale(states)
        start = self.mean(states) + tf.exp(log_scale) * standard
        bent = (start, states) if self.amortized else (start,)
        latent, log_det = self.flows(*bent)
        return latent, log_scale, log_det

    def call(
        self,
        states: tf.Tensor,
        noise: tf.Tensor | None,
        training: bool = False,
    ) -> Draw:
        """See base class. Without noise, the transformed mean.

        The extra `log_det` is sum_k log|det df_k / dz_{k-1}|.
        """
        if noise is None:
            noise = tf.zeros([*tf.unstack(tf.shape(states))[:-1], self.dim])
        latent, log_scale, log_det = self._bend(states, noise)
        # log q_0(z_0) - log p(z_K), whose log(2 pi) cancel, then eq. 7.
        each = 0.5 * (tf.square(latent) - tf.square(noise)) - log_scale
        kl = tf.reduce_sum(each, -1) - log_det
        return Draw(latent, kl, {"log_det": log_det})
