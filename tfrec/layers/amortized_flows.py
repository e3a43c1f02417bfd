"""Planar flows whose parameters are functions of a state."""

import keras
import numpy as np
import tensorflow as tf

from tfrec.layers.planar_flow import PlanarFlow, constrain, log_det, neutral_u


class AmortizedFlows(keras.layers.Layer):
    """K planar flows, each with its own w, u and b at every position.

    Rezende and Mohamed, Variational Inference with Normalizing Flows (2015),
    section 4.2: (w_k, u_k, b_k) is an affine function of the state, so that
    each history bends its posterior in its own way. `PlanarFlows` has one set
    of parameters for all. They start the same: near the identity, and whatever
    the state.

    In float32 whatever the policy, as `PlanarFlows`.

    Args:
        flows: Number K of flows, at least 1.
        dim: Size of the latent.
    """

    def __init__(self, flows: int, dim: int, **kwargs):
        super().__init__(**(kwargs | {"dtype": "float32"}))
        self.flows = flows
        self.dim = dim
        self.parameters = keras.layers.Dense(
            flows * (2 * dim + 1),
            kernel_initializer="zeros",
            bias_initializer=self._start,
            dtype="float32",
            name="parameters",
        )

    def _start(self, shape, dtype=None):
        """Returns the parameters of flows near the identity, flat."""
        normal, unit = keras.initializers.RandomNormal, self.dim**-0.5
        w = normal(stddev=unit)([self.flows, self.dim])
        u = neutral_u(w) + normal(stddev=0.1 * unit)(w.shape)
        return tf.reshape(tf.concat([w, u, tf.zeros([self.flows, 1])], 1), [-1])

    def build(self, input_shape):
        """Builds for states `[..., units]`."""
        self.parameters.build(input_shape)

    def of_states(self, states: tf.Tensor) -> list[PlanarFlow]:
        """Returns the flows of the states as bijectors, the first one first."""
        return [PlanarFlow(*each) for each in self._split(states)]

    def call(
        self, latent: tf.Tensor, states: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Bends latents.

        Args:
            latent: z_0, float32 `[..., dim]`.
            states: `[..., units]`, of the same leading dimensions.

        Returns:
            z_K, float32 `[..., dim]`, and sum_k log|det df_k/dz_{k-1}|,
            float32 `[...]`.
        """
        total = tf.zeros(tf.shape(latent)[:-1])
        for w, u, b in self._split(states):
            u_hat, margin = constrain(w, u)
            p = tf.reduce_sum(w * latent, -1) + b
            bend = tf.tanh(p)
            latent += u_hat * bend[..., None]
            total += log_det(p, bend, margin)
        return latent, total

    def _split(self, states: tf.Tensor):
        """Gives w `[..., dim]`, u `[..., dim]` and b `[...]` of each flow."""
        sizes = np.tile([self.dim, self.dim, 1], self.flows)
        parts = iter(tf.split(self.parameters(states), sizes, -1))
        for w, u, b in zip(parts, parts, parts, strict=True):
            yield w, u, b[..., 0]
