"""The two discriminators of ACVAE, and the negatives of the second."""

import keras
import tensorflow as tf

from tfrec.layers.recurrent import GRU


class Adversary(keras.layers.Layer):
    """T_psi(x, z), eq. 7: its optimum is log q(z | x) - log p(z), eq. 8.

    Args:
        units: Width of the two residual ELU layers.
        prior: Whether |z|^2 / 2 is added to the output. With a standard normal
            prior -log p(z) is |z|^2 / 2 plus a constant, so the network only
            has to learn the rest.
    """

    def __init__(self, units: int, prior: bool, **kwargs):
        super().__init__(**kwargs)
        self.prior = prior
        self.enter = keras.layers.Dense(units, activation="elu")
        self.residuals = [
            keras.layers.Dense(units, activation="elu") for _ in range(2)
        ]
        self.leave = keras.layers.Dense(1)
        self.units = units

    def build(self, items_shape, latent_shape):
        """Builds for `[n, embedding_dim]` and `[n, latent_dim]`."""
        self.enter.build((None, items_shape[-1] + latent_shape[-1]))
        for layer in (*self.residuals, self.leave):
            layer.build((None, self.units))

    def call(self, items: tf.Tensor, latent: tf.Tensor) -> tf.Tensor:
        """Returns one logit for each row of item embeddings and latents."""
        hidden = self.enter(tf.concat([items, latent], -1))
        for layer in self.residuals:
            hidden += layer(hidden)
        logits = tf.squeeze(self.leave(hidden), -1)
        if self.prior:
            # Centred: its mean under the prior is no part of what T must learn.
            logits += 0.5 * tf.reduce_sum(tf.square(latent) - 1.0, -1)
        return logits


class ContrastiveCritic(keras.layers.Layer):
    """G_omega(x, z), eq. 12: does this latent belong to this sequence?

    Args:
        units: Size of the state.
    """

    def __init__(self, units: int, **kwargs):
        super().__init__(**kwargs)
        self.gru = GRU(units)
        self.leave = keras.layers.Dense(1)

    def build(self, items_shape, latent_shape):
        """Builds for `[batch, length, dim]` embeddings and latents."""
        self.gru.build((None, None, items_shape[-1] + latent_shape[-1]))
        self.leave.build((None, None, self.gru.units))

    def call(self, items: tf.Tensor, latent: tf.Tensor) -> tf.Tensor:
        """Returns one logit per position, `[batch, length]`."""
        states = self.gru(tf.concat([items, latent], -1), training=True)
        return tf.squeeze(self.leave(states), -1)


def roll(values: tf.Tensor) -> tf.Tensor:
    """Rolls rows by one along the global batch, across replicas.

    Args:
        values: `[batch, ...]`, this replica's part, at least one row.
    """
    replica = tf.distribute.get_replica_context()
    count = replica.num_replicas_in_sync
    if count == 1:
        return tf.roll(values, 1, 0)
    if values.dtype == tf.bool:
        return tf.cast(roll(tf.cast(values, tf.int32)), tf.bool)
    last_rows = replica.all_gather(values[-1:], axis=0)
    before = (replica.replica_id_in_sync_group - 1) % count
    return tf.concat([last_rows[before][None], values[:-1]], 0)
