"""Mult-VAE: variational autoencoders for collaborative filtering (WWW'18).

Liang, Krishnan, Hoffman, Jebara: Variational Autoencoders for Collaborative
Filtering. https://arxiv.org/abs/1802.05814

The paper, part by part:

    x_u, the set of a user's items, divided by its length |x_u|; half of it is
    left out at random
        -> base/sets.py
    q(z | x) = N(mu(x), diag sigma^2(x)): a layer of tanh units
    p(i | z): a layer of tanh units and a softmax over items
        -> here
    log p(x | z) = sum_i x_ui log p(i | z), multinomial
        -> layers/losses/softmax.py
    min:  -E_q[log p(x | z)] + beta KL(q(z | x) || N(0, I)), the KL in its
    closed form, beta annealed from 0
        -> base/sets.py, layers/gaussian.py

Scores come from the mean of q, as in the authors' code. It lets beta grow by
the step; `--anneal_epochs` lets it grow by the epoch, for data so small that
there are few steps. The authors choose where to stop on validation.
"""

import keras
import tensorflow as tf

from tfrec.layers.gaussian import Gaussian
from tfrec.layers.item_sum import ItemSum
from tfrec.models.base.sets import SetVAE
from tfrec.models.configs.multvae import MultVAEConfig


@keras.saving.register_keras_serializable("tfrec")
class MultVAE(SetVAE):
    """Two layers of tanh units around a Gaussian.

    Args:
        num_items: Number of items in the vocabulary.
        config: Settings.
        num_users: Not used.
    """

    config_class = MultVAEConfig
    config: MultVAEConfig

    def __init__(
        self,
        num_items: int,
        config: MultVAEConfig | None = None,
        num_users: int = 0,
    ):
        super().__init__(num_items, config, num_users)
        c = self.config
        self.item_sum = ItemSum(
            num_items, c.hidden_units, "tanh", name="item_sum"
        )
        self.gaussian = keras.layers.Dense(2 * c.latent_dim, name="gaussian")
        self.hidden = keras.layers.Dense(
            c.hidden_units, activation="tanh", name="hidden"
        )
        self.item_sum.build((None, None))
        self.gaussian.build((None, c.hidden_units))
        self.hidden.build((None, c.latent_dim))
        self.make_logits(c.hidden_units)
        self.built = True

    def posterior(self, items: tf.Tensor, scale: tf.Tensor) -> Gaussian:
        """See base class."""
        return Gaussian.of(self.gaussian(self.item_sum(items, scale)))

    def decode_latent(self, latent: tf.Tensor) -> tf.Tensor:
        """See base class."""
        return self.hidden(latent)

    @property
    def counts_steps(self) -> bool:
        """See base class."""
        return self.config.anneal_epochs > 0

    def kl_weights(self, bags: tf.Tensor) -> tf.Tensor:
        """See base class: the same beta for all."""
        c = self.config
        beta = c.kl_weight * self.ramp(c.anneal_steps, c.anneal_epochs)
        return tf.fill([tf.shape(bags)[0]], beta)
