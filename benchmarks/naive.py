"""ACVAE as one writes it first: padded, dense, step by step."""

import functools
import operator
from unittest import mock

import keras
import tensorflow as tf

from tfrec.batches import TrainingBatch
from tfrec.models import ACVAE


class NaiveACVAE(ACVAE):
    """The same model and objectives without what makes them fast.

    Every row is padded to `max_length`, every term is computed at every
    position and masked, the targets are one-hot over all items, the
    recurrences are Keras's, and the critic reads positive and negative
    latents one after the other.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for gru in (self.encoder.gru, self.critic.gru):
            gru.call = functools.partial(keras.layers.GRU.call, gru)

    def objective(self, batch, training=True):
        """See base class."""
        c = self.config
        missing = c.max_length + 1 - tf.shape(batch.items)[1]
        batch = batch._replace(
            items=tf.pad(batch.items, [[0, 0], [0, missing]])
        )
        query, targets = batch.query, batch.targets
        weights = batch.weight[:, None] * tf.cast(targets > 0, tf.float32)
        noise = self.draw_noise(tf.shape(targets))
        states = self.states(query, training)
        latents = self.posterior(states, noise, training=training).latent

        hidden = self.decode_states(latents, training)
        logits = tf.tensordot(hidden, tf.transpose(self.item_logits.kernel), 1)
        cross_entropies = tf.nn.softmax_cross_entropy_with_logits(
            tf.one_hot(targets - 1, self.num_items),
            logits + self.item_logits.bias,
        )
        reconstruction = tf.reduce_sum(weights * cross_entropies)

        embedded = tf.stop_gradient(self.embedding(query.history))
        prior = keras.random.normal(tf.shape(latents), seed=self.noise_seed)
        from_posterior = self.adversary(embedded, latents)
        from_prior = self.adversary(embedded, prior)
        mistakes = tf.nn.softplus(-from_posterior) + tf.nn.softplus(from_prior)
        kl_estimate = tf.reduce_sum(weights * from_posterior)
        contrastive = self.contrastive_loss(
            embedded, latents, targets > 0, batch.weight
        )
        return {
            "loss": reconstruction
            + c.adversarial_weight * kl_estimate
            + c.contrastive_weight * contrastive,
            "reconstruction": reconstruction,
            "kl_estimate": kl_estimate,
            "adversary_loss": tf.reduce_sum(weights * mistakes),
            "contrastive": contrastive,
        }

    def contrastive_loss(self, embedded, latents, valid, weight):
        """See `ContrastiveCritic.loss`."""
        positive = self.critic(embedded, latents)
        negative = self.critic(embedded, tf.roll(latents, 1, 0))
        both = tf.logical_and(valid, tf.roll(valid, 1, 0))
        each = tf.nn.softplus(-positive) * tf.cast(valid, tf.float32)
        each += tf.nn.softplus(negative) * tf.cast(both, tf.float32)
        return tf.reduce_sum(weight * tf.reduce_sum(each, 1))


def copy_weights(source: ACVAE, target: ACVAE) -> None:
    """Gives every layer of `target` the weights of `source`."""
    for name in (
        "embedding",
        "encoder",
        "posterior",
        "decoder",
        "item_logits",
        "adversary",
        "critic.gru",
        "critic.leave",
    ):
        layer = operator.attrgetter(name)
        layer(target).set_weights(layer(source).get_weights())


def largest_difference(one: ACVAE, other: ACVAE, batch: TrainingBatch) -> float:
    """Compares the loss of two models and its terms on a batch.

    Dropout and noise are off. The loss of the adversary is left out, because
    it depends on a draw from the prior.

    Returns:
        The largest relative difference.
    """

    def no_noise(self, shape):
        return tf.zeros([*tf.unstack(shape), self.posterior.noise_dim])

    with mock.patch.object(ACVAE, "draw_noise", no_noise):
        terms, others = (
            model.objective(batch, training=False) for model in (one, other)
        )
    return max(
        abs(float(terms[name]) / float(others[name]) - 1.0)
        for name in ("loss", "reconstruction", "kl_estimate", "contrastive")
    )
