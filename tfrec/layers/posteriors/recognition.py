"""The posterior beside a learned prior: it sees what comes next."""

import keras
import tensorflow as tf

from tfrec.layers.posteriors.base import Draw
from tfrec.layers.posteriors.flow import FlowPosterior


class Recognition(FlowPosterior):
    """q(u | h, x'), where u is a draw of N(0, I) to the prior p(z | h).

    It starts as N(0, I), near it where it has flows, so that training sees at
    first what a recommendation sees.

    Args:
        latent_dim: Size of the latent.
        flows: Number K of planar flows.
        amortized: Whether the flows are functions of what it sees.
        units: Width of a layer of tanh units that reads first; 0 for none.
    """

    def __init__(
        self,
        latent_dim: int,
        flows: int,
        amortized: bool,
        units: int = 0,
        **kwargs,
    ):
        super().__init__(latent_dim, flows, 1.0, amortized, "zeros", **kwargs)
        self.reader = None
        if units:
            self.reader = keras.layers.Dense(
                units, "tanh", dtype="float32", name="reader"
            )

    def build(self, input_shape):
        """Builds for what `see` returns, `[..., units]`."""
        if self.reader:
            self.reader.build(input_shape)
            input_shape = (*input_shape[:-1], self.reader.units)
        super().build(input_shape)

    @staticmethod
    def see(
        states: tf.Tensor, vectors: tf.Tensor, came: tf.Tensor
    ) -> tf.Tensor:
        """Lays the mean vector of what comes beside the state h.

        Args:
            states: `[..., units]`.
            vectors: Of the items that come next, `[..., window, dim]`.
            came: bool `[..., window]`, which of them there are.

        Returns:
            float32 `[..., units + dim]`.
        """
        shares = tf.cast(came, tf.float32)
        shares = tf.math.divide_no_nan(
            shares, tf.reduce_sum(shares, -1, keepdims=True)
        )
        mean = tf.einsum(
            "...w,...wd->...d", shares, tf.cast(vectors, tf.float32)
        )
        return tf.concat([tf.cast(states, tf.float32), mean], -1)

    def call(
        self,
        states: tf.Tensor,
        noise: tf.Tensor | None,
        training: bool = False,
    ) -> Draw:
        """Draws u, of what `see` returns; see base class."""
        if self.reader:
            states = self.reader(states)
        return super().call(states, noise, training)
