"""ACVAE's Figure 2: two densities with one KL term, which a critic tells apart.

Section 3.3.1: a network outputs mu = (-1, -1) or (1, 1), each with probability
1/2, and a constant sigma; that is the fake, whose two dimensions depend on each
other. The real one has mu uniform on {-1, 1} x {-1, 1}. The KL divergence from
N(mu, sigma^2) to N(0, I) is a sum over dimensions, and |mu_i| = 1 in both.
"""

import math
from typing import NamedTuple

import keras
import tensorflow as tf

from tfrec.layers.critics import Adversary

# Of Figure 2.
SIGMA = 0.4
_UNITS = 32
_BATCH = 256
_POINTS = 400
_RATE = 5e-3


class Densities(NamedTuple):
    """What the figure shows.

    Attributes:
        real: float32 `[n, 2]`, draws with independent dimensions.
        fake: The same, dependent.
        real_output: float32 `[n]`, sigmoid of the critic's logits.
        fake_output: The same of the fake draws.
        kl: The KL term of either density, nats.
        separated: How often the critic's output for a real draw is above that
            for a fake one (the area under the ROC curve); 0.5 is chance.
    """

    real: tf.Tensor
    fake: tf.Tensor
    real_output: tf.Tensor
    fake_output: tf.Tensor
    kl: float
    separated: float


def kl_term(mean: tf.Tensor, sigma: float = SIGMA) -> tf.Tensor:
    """Returns KL(N(mean, sigma^2) || N(0, I)), nats, `[n]`.

    Args:
        mean: float32 `[n, 2]`.
        sigma: The scale of each dimension.
    """
    each = 0.5 * (tf.square(mean) + sigma**2 - 1.0) - math.log(sigma)
    return tf.reduce_sum(each, -1)


def means(count: int, seed: list[int], independent: bool) -> tf.Tensor:
    """Draws mu, `[count, 2]`: real if independent, else fake."""
    width = 2 if independent else 1
    signs = tf.random.stateless_uniform([count, width], seed, 0, 2, tf.int32)
    signs = 2.0 * tf.cast(signs, tf.float32) - 1.0
    return signs if independent else tf.tile(signs, [1, 2])


def fit(steps: int = 600, seed: int = 0) -> Densities:
    """Trains the adversary of ACVAE to tell draws of the two densities apart.

    Args:
        steps: Steps of 256 draws of each.
        seed: Of the weights and the draws.
    """
    keras.utils.set_random_seed(seed)
    critic = Adversary(_UNITS, prior=False)
    # There is no x here: its input is empty.
    critic.build((None, 0), (None, 2))
    optimizer = keras.optimizers.Adam(_RATE)
    optimizer.build(critic.trainable_variables)

    def draw(count, step, independent):
        mean = means(count, [seed, 2 * step], independent)
        noise = tf.random.stateless_normal([count, 2], [seed, 2 * step + 1])
        return mean, mean + SIGMA * noise

    def logits(points):
        return critic(tf.zeros([tf.shape(points)[0], 0]), points)

    @tf.function(autograph=False)
    def train(step):
        _, real = draw(_BATCH, step, True)
        _, fake = draw(_BATCH, step, False)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(
                tf.nn.softplus(-logits(real)) + tf.nn.softplus(logits(fake))
            )
        gradients = tape.gradient(loss, critic.trainable_variables)
        optimizer.apply_gradients(
            zip(gradients, critic.trainable_variables, strict=True)
        )

    # The first draws are for the figure.
    for step in tf.range(1, steps + 1):
        train(step)
    mean, real = draw(_POINTS, 0, True)
    _, fake = draw(_POINTS, 0, False)
    # Each mu has the same, of either density.
    kl = float(kl_term(mean)[0])
    real_output, fake_output = map(tf.sigmoid, (logits(real), logits(fake)))
    above = real_output[:, None] > fake_output[None]
    separated = float(tf.reduce_mean(tf.cast(above, tf.float32)))
    return Densities(real, fake, real_output, fake_output, kl, separated)
