"""ACVAE as one writes it first: padded, dense, step by step."""

import operator
from unittest import mock

import keras
import tensorflow as tf

from tfrec.models import ACVAE


class NaiveACVAE(ACVAE):
    """The same model and objectives without what makes them fast.

    Every row is padded to `max_length`, every term is computed at every
    position and masked, the targets are one-hot over all items, the
    recurrences are Keras's, and the critic reads positive and negative
    latents one after the other.
    """

    def _build_layers(self):
        c = self.config
        self.encoder = keras.layers.GRU(
            c.gru_units, return_sequences=True, name="encoder"
        )
        self.critic.gru = keras.layers.GRU(
            c.critic_units, return_sequences=True
        )
        super()._build_layers()

    def objectives(self, items, weight, training=True):
        """See base class."""
        c = self.config
        missing = c.max_length + 1 - tf.shape(items)[1]
        items = tf.pad(items, [[0, 0], [0, missing]])
        inputs, targets = items[:, :-1], items[:, 1:]
        weights = weight[:, None] * tf.cast(targets > 0, tf.float32)
        latents = self.latents(inputs, self.draw_noise(inputs), training)

        hidden = self.decoder_dropout(self.decoder(latents), training=training)
        logits = tf.tensordot(hidden, tf.transpose(self.item_softmax.kernel), 1)
        cross_entropies = tf.nn.softmax_cross_entropy_with_logits(
            tf.one_hot(targets - 1, self.num_items),
            logits + self.item_softmax.bias,
        )
        reconstruction = tf.reduce_sum(weights * cross_entropies)

        embedded = tf.stop_gradient(self.embedding(inputs))
        terms = self.adversarial_terms(embedded, latents, weights)
        contrastive = self.contrastive_loss(
            embedded, latents, targets > 0, weight
        )
        return terms | {
            "loss": reconstruction
            + c.adversarial_weight * terms["kl_estimate"]
            + c.contrastive_weight * contrastive,
            "reconstruction": reconstruction,
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
        "item_softmax",
        "adversary",
        "critic.gru",
        "critic.leave",
    ):
        layer = operator.attrgetter(name)
        layer(target).set_weights(layer(source).get_weights())


def largest_difference(
    one: ACVAE, other: ACVAE, batch: dict[str, tf.Tensor]
) -> float:
    """Compares the loss of two models and its terms on a batch.

    Dropout and noise are off. The loss of the adversary is left out, because
    it depends on a draw from the prior.

    Returns:
        The largest relative difference.
    """

    def no_noise(self, items):
        return tf.zeros(
            [*tf.unstack(tf.shape(items)), self.posterior.noise_dim]
        )

    with mock.patch.object(ACVAE, "draw_noise", no_noise):
        terms, others = (
            model.objectives(batch.items, batch.weight, training=False)
            for model in (one, other)
        )
    return max(
        abs(float(terms[name]) / float(others[name]) - 1.0)
        for name in ("loss", "reconstruction", "kl_estimate", "contrastive")
    )
