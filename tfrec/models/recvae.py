"""RecVAE: a VAE of sets with a composite prior (WSDM'20).

Shenbin, Alekseev, Tutubalina, Malykh, Nikolenko: RecVAE: a New Variational
Autoencoder for Top-N Recommendations with Implicit Feedback.
https://arxiv.org/abs/1912.11160

The paper, part by part:

    x_u, the set of a user's items, divided by its length, half left out;
    log p(x | z) = sum_i x_ui log p(i | z)
        -> base/sets.py
    q(z | x): five layers, each adding up all before it
        -> `DenseEncoder`, here
    p(i | z): a softmax over items, linear in z
    p(z | x): a mixture of N(0, I), the posterior of an epoch before, and a
    wide Gaussian
        -> `divergence`, here
    beta_u = gamma |x_u|, with no annealing
        -> `kl_weights`, here
    encoder and decoder in turns, 3 epochs to 1; the decoder learns from whole
    sets
        -> `players`, `reading`, here

    min:  -E_q[log p(x | z)] + beta_u E_q[log q(z | x) - log p(z | x)]

The expectations are one draw. The paper writes a mixture of vectors; the
authors' code mixes each dimension for itself, and so does this by default. The
old posterior is that of the end of the encoder's last turn, as there, and at
first that of the encoder as it starts, where their code has one of other
random weights. An epoch here is one pass over the data, so one of theirs, 3 + 1
passes, is four of these. Without turns their code never renews the old
posterior; here it is then that of the end of the epoch before.
"""

import math

import keras
import tensorflow as tf

from tfrec.batches import TrainingBatch
from tfrec.layers.gaussian import Gaussian
from tfrec.layers.item_sum import ItemSum
from tfrec.layers.rows import declare_rows, declared_rows
from tfrec.models.base.learned import Rate
from tfrec.models.base.player import Player, in_turns
from tfrec.models.base.sets import SetVAE
from tfrec.models.configs.recvae import RecVAEConfig

_WIDE_LOG_VARIANCE = 10.0
_LAYERS = 5


class DenseEncoder(keras.layers.Layer):
    """h_k = LayerNorm(swish(W_k h_{k-1} + b_k + h_1 + ... + h_{k-1})).

    Args:
        num_items: Number of items.
        units: Size of each h.
        latent_dim: Size of the latent.
    """

    def __init__(self, num_items: int, units: int, latent_dim: int, **kwargs):
        super().__init__(**kwargs)
        self.item_sum = ItemSum(num_items, units, "swish", name="item_sum")
        self.hidden = [keras.layers.Dense(units) for _ in range(_LAYERS - 1)]
        self.norms = [
            keras.layers.LayerNormalization(epsilon=0.1) for _ in range(_LAYERS)
        ]
        self.gaussian = keras.layers.Dense(2 * latent_dim, name="gaussian")

    def build(self, input_shape):
        """Builds all layers."""
        self.item_sum.build(input_shape)
        for layer in (*self.hidden, *self.norms, self.gaussian):
            layer.build((None, self.item_sum.units))

    def call(self, items: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
        """Returns mean and log-variance, `[batch, 2 * latent_dim]`.

        Args:
            items: int32 `[batch, length]`, the set that is read.
            scale: float32 `[batch, 1]`, what each of its items counts.
        """
        h = total = self.norms[0](self.item_sum(items, scale))
        for hidden, norm in zip(self.hidden, self.norms[1:], strict=True):
            h = norm(tf.nn.silu(hidden(h) + total))
            total += h
        return self.gaussian(h)


@keras.saving.register_keras_serializable("tfrec")
class RecVAE(SetVAE):
    """A deep encoder that is held to what it was, and a linear decoder.

    Args:
        num_items: Number of items in the vocabulary.
        config: Settings.
        num_users: Not used.
    """

    config_class = RecVAEConfig
    config: RecVAEConfig
    # Epochs are told apart: by turns, or by the old posterior.
    counts_steps = True

    def __init__(
        self,
        num_items: int,
        config: RecVAEConfig | None = None,
        num_users: int = 0,
    ):
        super().__init__(num_items, config, num_users)
        c = self.config
        self.encoder = DenseEncoder(
            num_items, c.hidden_units, c.latent_dim, name="encoder"
        )
        self.encoder.build((None, None))
        self.make_logits(c.latent_dim)
        self.old = [
            self.add_weight(
                shape=variable.shape,
                trainable=False,
                aggregation="only_first_replica",
                name=f"old_{number}",
            )
            for number, variable in enumerate(self.encoder.variables)
        ]
        for old, new in zip(self.old, self.encoder.variables, strict=True):
            old.assign(new)
            declare_rows(old, declared_rows(new))
        self.built = True

    @property
    def inherited(self) -> list[keras.Variable]:
        """See base class: with the posterior of an epoch before."""
        return [*super().inherited, *self.old]

    @property
    def item_sum(self) -> ItemSum:
        """See base class."""
        return self.encoder.item_sum

    def posterior(self, items: tf.Tensor, scale: tf.Tensor) -> Gaussian:
        """See base class."""
        return Gaussian.of(self.encoder(items, scale))

    def decode_latent(self, latent: tf.Tensor) -> tf.Tensor:
        """See base class: the decoder is linear."""
        return latent

    def kl_weights(self, bags: tf.Tensor) -> tf.Tensor:
        """See base class: beta_u."""
        sizes = tf.math.count_nonzero(bags, 1, dtype=tf.float32)
        return self.config.kl_weight_per_item * sizes

    def divergence(
        self, posterior: Gaussian, latent: tf.Tensor, bags: tf.Tensor
    ) -> tf.Tensor:
        """See base class: to the composite prior, at the draw."""
        c = self.config
        both, _ = self.encoder.stateless_call(
            [old.value for old in self.old], [], *self.reading(bags)
        )
        zero = tf.zeros_like(latent)
        mixed = (
            (1.0 - c.old_share - c.wide_share, Gaussian(zero, zero)),
            (c.old_share, Gaussian.of(both)),
            (c.wide_share, Gaussian(zero, zero + _WIDE_LOG_VARIANCE)),
        )
        parts = [
            math.log(share) + self._over(gaussian.log_densities(latent))
            for share, gaussian in mixed
            if share > 0
        ]
        log_p = tf.reduce_logsumexp(tf.stack(parts), 0)
        log_q = self._over(posterior.log_densities(latent))
        return tf.reduce_sum(log_q - log_p, -1)

    def _over(self, log_densities: tf.Tensor) -> tf.Tensor:
        """Returns what is mixed: each dimension, or whole vectors."""
        if self.config.mix_dimensions:
            return log_densities
        return tf.reduce_sum(log_densities, -1, keepdims=True)

    def reading(
        self, bags: tf.Tensor, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """See base class: items are left out in the encoder's turns alone."""
        whole = super().reading(bags)
        if not training:
            return whole
        part = super().reading(bags, training=True)
        if not self.config.alternate_updates:
            return part
        (of_encoder, _), cycle = self._turns
        turn = self.is_turn(of_encoder, cycle, by_epoch=True)
        return tuple(
            tf.where(turn, *pair) for pair in zip(part, whole, strict=True)
        )

    @property
    def _turns(self) -> tuple[list[tuple[int, ...]], int]:
        """The turns of encoder and decoder, and their cycle, in epochs."""
        c = self.config
        if not c.alternate_updates:
            return [(0,), (0,)], 1
        return in_turns(c.encoder_epochs, c.decoder_epochs)

    def players(self, rate: Rate) -> list[Player]:
        """Returns encoder and decoder, who minimise the same loss."""
        turns, cycle = self._turns
        return [
            Player(
                name,
                "loss",
                layer.trainable_variables,
                self.adamw(
                    rate(self.config.learning_rate, every=cycle / len(own))
                ),
                own,
                cycle,
                by_epoch=True,
            )
            for name, layer, own in zip(
                ("encoder", "decoder"),
                (self.encoder, self.item_logits),
                turns,
                strict=True,
            )
        ]

    def train_step(self, batch: TrainingBatch) -> dict[str, tf.Tensor]:
        """See base class; then renews the old posterior, if it is time."""
        logs = super().train_step(batch)
        (of_encoder, _), cycle = self._turns
        epochs, rest = self.epochs()
        ends = (rest == 0) & (epochs % cycle == len(of_encoder) % cycle)
        values = tf.cond(
            ends,
            lambda: [tf.convert_to_tensor(v) for v in self.encoder.variables],
            lambda: [tf.convert_to_tensor(v) for v in self.old],
        )
        # Assigned in any case: a strategy assigns in no condition.
        for old, value in zip(self.old, values, strict=True):
            old.assign(value)
        return logs
