"""The contrastive critic: does this latent belong to this sequence?"""

import keras
import tensorflow as tf

from tfrec.layers.critics.base import Critic, Pairs
from tfrec.layers.recurrent import GRU


class ContrastiveCritic(Critic):
    """G_omega(x, z), eq. 12: z against the z of the next user.

    The paper prints sigma(1 - G) for 1 - sigma(G). Encoder and critic minimise
    the same loss.

    Args:
        units: Size of the state.
    """

    terms = ("contrastive",)
    encoder_term = "contrastive"
    needs_sequences = True
    least_rows = 2

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

    def judge(
        self, pairs: Pairs, noise_seed: keras.random.SeedGenerator
    ) -> dict[str, tf.Tensor]:
        """See base class.

        Raises:
            tf.errors.InvalidArgumentError: If there is one sequence alone.
        """
        loss = self.loss(
            pairs.embedded_sequences(), pairs.latents, pairs.valid, pairs.weight
        )
        return {"contrastive": loss}

    def loss(
        self,
        items: tf.Tensor,
        latents: tf.Tensor,
        valid: tf.Tensor,
        weight: tf.Tensor,
    ) -> tf.Tensor:
        """Returns the loss of eq. 12.

        Args:
            items: Item embeddings, `[batch, length, embedding_dim]`.
            latents: Posterior samples, `[batch, length, latent_dim]`.
            valid: bool `[batch, length]`.
            weight: float32 `[batch]`.
        """
        replicas = tf.distribute.get_replica_context().num_replicas_in_sync
        tf.debugging.assert_greater(
            tf.shape(latents)[0] * replicas,
            1,
            "The contrastive term compares the sequences of a batch and needs "
            "two at least, and one on each device. Raise `--batch_size`, or "
            "set `--contrastive_weight=0`.",
        )
        # Together, so that replicas exchange one tensor.
        present = tf.cast(valid, latents.dtype)[..., None]
        rolled = _roll(tf.concat([latents, present], -1))
        others, present = rolled[..., :-1], rolled[..., -1] > 0
        # Both passes as one batch of twice the size: half the steps.
        positive, negative = tf.split(
            self(tf.concat([items, items], 0), tf.concat([latents, others], 0)),
            2,
        )
        # Compare only where both users have a position.
        both = tf.logical_and(valid, present)
        each = tf.nn.softplus(-positive) * tf.cast(valid, positive.dtype)
        each += tf.nn.softplus(negative) * tf.cast(both, negative.dtype)
        return tf.reduce_sum(weight * tf.reduce_sum(each, 1))


def _roll(values: tf.Tensor) -> tf.Tensor:
    """Rolls rows by one along the global batch, across replicas.

    A row from another replica is cut or padded with 0 to the length here:
    replicas that read alone pad each for itself.

    Args:
        values: `[batch, length, dim]`, this replica's part, at least one row.
    """
    replica = tf.distribute.get_replica_context()
    count = replica.num_replicas_in_sync
    if count == 1:
        return tf.roll(values, 1, 0)
    before = (replica.replica_id_in_sync_group - 1) % count
    length = tf.shape(values)[1]
    lengths = replica.all_gather(length[None], axis=0)
    # The last rows of all, one after the other.
    last = tf.reshape(values[-1:], [-1, values.shape[-1]])
    rows = replica.all_gather(last, axis=0)
    row = rows[tf.reduce_sum(lengths[:before]) :][: lengths[before]][:length]
    row = tf.pad(row, [[0, length - tf.shape(row)[0]], [0, 0]])
    return tf.concat([row[None], values[:-1]], 0)
