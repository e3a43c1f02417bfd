"""Gaussians with independent dimensions."""

import math
from typing import NamedTuple

import tensorflow as tf


class Gaussian(NamedTuple):
    """N(mean, diag(variance)).

    Attributes:
        mean: float32 `[..., dim]`.
        log_variance: float32 `[..., dim]`.
    """

    mean: tf.Tensor
    log_variance: tf.Tensor

    @classmethod
    def of(cls, both: tf.Tensor) -> "Gaussian":
        """Splits what a layer gave, `[..., 2 * dim]`."""
        return cls(*tf.split(both, 2, -1))

    def at(self, noise: tf.Tensor) -> tf.Tensor:
        """Returns the draws that standard normal noise, `[..., dim]`, gives."""
        return self.mean + tf.exp(0.5 * self.log_variance) * noise

    def log_densities(self, values: tf.Tensor) -> tf.Tensor:
        """Returns log p of each dimension of values, `[..., dim]`."""
        squares = tf.square(values - self.mean) * tf.exp(-self.log_variance)
        return -0.5 * (self.log_variance + math.log(2 * math.pi) + squares)

    def kl(self) -> tf.Tensor:
        """Returns the KL divergence to N(0, I), `[...]`."""
        each = (
            tf.square(self.mean)
            + tf.exp(self.log_variance)
            - self.log_variance
            - 1.0
        )
        return 0.5 * tf.reduce_sum(each, -1)
