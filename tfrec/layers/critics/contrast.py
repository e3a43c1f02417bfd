"""Contrastive critics: does this latent belong to this sequence?"""

import keras
import tensorflow as tf

from tfrec.layers.critics.base import Critic, Pairs
from tfrec.layers.critics.replicas import all_rows, next_rows, require_two
from tfrec.layers.recurrent import GRU


class ContrastiveCritic(Critic):
    """G_omega(x, z), eq. 12: z against the z of another user.

    The paper prints sigma(1 - G) for 1 - sigma(G). Encoder and critic minimise
    the same loss.

    Args:
        units: Size of the state.
        random_partners: Whether the other user is any of the batch, in place
            of the next. Batches are of sequences of like lengths, sorted.
    """

    terms = ("contrastive",)
    encoder_term = "contrastive"
    needs_sequences = True
    least_rows = 2

    def __init__(self, units: int, random_partners: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.random_partners = random_partners
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
        draw = None
        if self.random_partners:
            draw = keras.random.uniform([], seed=noise_seed)
        loss = self.loss(
            pairs.embedded_sequences(),
            pairs.latents,
            pairs.valid,
            pairs.weight,
            draw,
        )
        return {"contrastive": loss}

    def loss(
        self,
        items: tf.Tensor,
        latents: tf.Tensor,
        valid: tf.Tensor,
        weight: tf.Tensor,
        draw: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Returns the loss of eq. 12.

        Args:
            items: Item embeddings, `[batch, length, embedding_dim]`.
            latents: Posterior samples, `[batch, length, latent_dim]`.
            valid: bool `[batch, length]`.
            weight: float32 `[batch]`.
            draw: Between 0 and 1, the same on all replicas: how far, in the
                batch, the partner is, of those that it may be. None for 1 row.
        """
        require_two(latents)
        # Together, so that replicas exchange one tensor.
        present = tf.cast(valid, latents.dtype)[..., None]
        both = tf.concat([latents, present], -1)
        rolled = next_rows(both) if draw is None else _far_rows(both, draw)
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


class InfoNCECritic(Critic):
    """-log of the share that z has among those of all users of the batch.

        G(x, z) = (W h)'z,  h = GRU(x)
        -log( exp G(x, z) / sum_j exp G(x, z_j) )

    at each position, over the users who have it (van den Oord, Li, Vinyals:
    Representation Learning with Contrastive Predictive Coding, 2018, eq. 4).
    Encoder and critic minimise the same loss. A G that read x and z together,
    as that of eq. 12, would have to read each x beside each z.

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

    def build(self, items_shape, latent_shape):
        """Builds for `[batch, length, dim]` embeddings and latents."""
        self.gru.build((None, None, items_shape[-1]))
        self.to_latent = keras.layers.Dense(latent_shape[-1], use_bias=False)
        self.to_latent.build((None, None, self.gru.units))

    def call(self, items: tf.Tensor, latents: tf.Tensor) -> tf.Tensor:
        """Returns G, `[batch, others, length]`.

        Args:
            items: Item embeddings, `[batch, length, embedding_dim]`.
            latents: `[others, length, latent_dim]`.
        """
        wanted = self.to_latent(self.gru(items, training=True))
        return tf.einsum("itd,jtd->ijt", wanted, latents)

    def judge(
        self, pairs: Pairs, noise_seed: keras.random.SeedGenerator
    ) -> dict[str, tf.Tensor]:
        """See base class; there are no draws.

        Raises:
            tf.errors.InvalidArgumentError: If there is one sequence alone.
        """
        del noise_seed
        require_two(pairs.latents)
        present = tf.cast(pairs.valid, tf.float32)[..., None]
        rows, first = all_rows(tf.concat([pairs.latents, present], -1))
        logits = self(pairs.embedded_sequences(), rows[..., :-1])
        # Finite: padding has no one to compare.
        total = tf.reduce_logsumexp(
            tf.where(rows[..., -1] > 0, logits, -1e9), axis=1
        )
        here = first + tf.range(tf.shape(logits)[0])
        each = total - tf.gather(logits, here, axis=1, batch_dims=1)
        each = tf.where(pairs.valid, each, 0.0)
        loss = tf.reduce_sum(pairs.weight * tf.reduce_sum(each, 1))
        return {"contrastive": loss}


def _far_rows(values: tf.Tensor, draw: tf.Tensor) -> tf.Tensor:
    """Rolls rows along the global batch by any number but a whole turn.

    Args:
        values: `[batch, length, dim]`, this replica's part.
        draw: Between 0 and 1.
    """
    rows, first = all_rows(values)
    total = tf.shape(rows)[0]
    steps = tf.cast(tf.cast(total - 1, draw.dtype) * draw, tf.int32)
    places = first + tf.range(tf.shape(values)[0])
    # Rounding could lead to the whole turn.
    steps = 1 + tf.minimum(steps, total - 2)
    return tf.gather(rows, (places - steps) % total)
