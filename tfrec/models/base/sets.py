"""The bases of models that read and predict a user's items as a set."""

import keras
import tensorflow as tf

from tfrec.batches import Query, TrainingBatch
from tfrec.layers.gaussian import Gaussian
from tfrec.layers.item_logits import ItemLogits
from tfrec.layers.item_sum import ItemSum
from tfrec.layers.losses import multinomial_loss
from tfrec.models.base.bound import BOUND_TERMS
from tfrec.models.base.items import distinct, newest
from tfrec.models.base.latent import Latent, row_noise
from tfrec.models.base.learned import Learned, Terms
from tfrec.models.base.products import ItemProducts, Products
from tfrec.models.configs.sets import SetConfig, SetVAEConfig
from tfrec.settings import Settings


class SetModel(ItemProducts, Learned):
    """A model without positions: all items of a row are one set.

    A subclass makes `item_sum`, the layer that reads sets, and `item_logits`,
    and implements `objective` and `compared`.

    Args:
        num_items: Number of items in the vocabulary, padding not counted.
        config: Settings of the model; its defaults when absent.
        num_users: Not used.

    Attributes:
        item_sum: Reads the items of a set.
        item_logits: Scores items.
    """

    config: SetConfig
    item_sum: ItemSum
    item_logits: ItemLogits

    def set_of(self, query: Query) -> tf.Tensor:
        """Returns each item of the histories once, int32 `[batch, length]`."""
        return distinct(newest(query.history, self.config.max_length))

    def make_logits(self, dim: int) -> None:
        """Makes `item_logits`, for vectors of a size."""
        self.item_logits = ItemLogits(self.num_items, name="item_logits")
        self.item_logits.build((None, dim))

    def item_vectors(self) -> dict[str, tf.Tensor]:
        """See base class."""
        return {
            "items_predicted": self.item_logits.kernel,
            "items_read": tf.convert_to_tensor(self.item_sum.kernel),
        }

    def compared(self, query: Query) -> tf.Tensor:
        """Returns what items are compared with, `[batch, dim]`.

        Args:
            query: As for `score`.
        """
        raise NotImplementedError

    def score(self, query: Query) -> tf.Tensor:
        """See base class."""
        return self.item_logits(self.compared(query))

    def products(self) -> Products:
        """See base class."""
        return self.products_of(self.compared)


class SetVAE(SetModel):
    """A variational autoencoder of sets, with a multinomial likelihood.

        items, some left out -> q(z | x), Gaussian -> z -> item logits

        min:  -E_q[sum_i x_ui log p(i | z)] + beta_u KL(q(z | x) || p(z))

    A subclass makes its layers between `__init__` and `make_logits`, and
    implements `posterior`, `decode_latent` and `kl_weights`; `divergence`, if
    its prior is not N(0, I).

    Args:
        num_items: Number of items in the vocabulary, padding not counted.
        config: Settings of the model; its defaults when absent.
        num_users: Not used.
    """

    config: SetVAEConfig
    terms = BOUND_TERMS

    def __init__(
        self,
        num_items: int,
        config: Settings | None = None,
        num_users: int = 0,
    ):
        super().__init__(num_items, config, num_users)
        self.input_dropout = keras.layers.Dropout(self.config.input_dropout)
        self.noise_seed = keras.random.SeedGenerator()

    def posterior(self, items: tf.Tensor, scale: tf.Tensor) -> Gaussian:
        """Returns q(z | x), `[batch, latent_dim]`.

        Args:
            items: int32 `[batch, length]`, the set that is read.
            scale: float32 `[batch, 1]`, what each of its items counts.
        """
        raise NotImplementedError

    def decode_latent(self, latent: tf.Tensor) -> tf.Tensor:
        """Returns what items are compared with, `[batch, dim]`."""
        raise NotImplementedError

    def kl_weights(self, bags: tf.Tensor) -> tf.Tensor:
        """Returns beta of each set, float32 `[batch]`.

        Args:
            bags: int32 `[batch, length]`.
        """
        raise NotImplementedError

    def divergence(
        self, posterior: Gaussian, latent: tf.Tensor, bags: tf.Tensor
    ) -> tf.Tensor:
        """Returns the KL divergence to the prior, float32 `[batch]`.

        Args:
            posterior: q(z | x).
            latent: A draw from it, `[batch, latent_dim]`.
            bags: The whole sets, int32 `[batch, length]`.
        """
        del latent, bags
        return posterior.kl()

    # Training ---------------------------------------------------------------

    def reading(
        self, bags: tf.Tensor, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns what is read of sets: x / |x|, of which training drops some.

        Args:
            bags: int32 `[batch, length]`.
            training: Whether dropout is on.

        Returns:
            The items that are read, int32 `[batch, length]`, and what each of
            them counts, float32 `[batch, 1]`.
        """
        there = tf.cast(bags > 0, tf.float32)
        sizes = tf.reduce_sum(there, 1, keepdims=True)
        scale = tf.math.rsqrt(tf.maximum(sizes, 1.0))
        if not training:
            return bags, scale
        kept = self.input_dropout(there, training=True)
        return (
            tf.where(kept > 0, bags, 0),
            scale / (1.0 - self.config.input_dropout),
        )

    def objective(self, batch: TrainingBatch, training: bool = True) -> Terms:
        """See base class; `bound`, with beta = 1, bounds -log p(x)."""
        bags = distinct(batch.items)
        posterior = self.posterior(*self.reading(bags, training))
        noise = keras.random.normal(
            tf.shape(posterior.mean), seed=self.noise_seed
        )
        latent = posterior.at(noise)
        reconstruction = multinomial_loss(
            self.item_logits, self.decode_latent(latent), bags, batch.weight
        )
        kl = batch.weight * self.divergence(posterior, latent, bags)
        beta = self.kl_weights(bags)
        total = tf.reduce_sum(kl)
        return {
            "loss": reconstruction + tf.reduce_sum(beta * kl),
            "reconstruction": reconstruction,
            "kl": total,
            "bound": reconstruction + total,
            "beta": tf.reduce_sum(batch.weight * beta),
        }

    # Scoring and sampling ---------------------------------------------------

    def latent(self) -> Latent:
        """See base class."""
        return self

    def _posterior_after(self, query: Query) -> Gaussian:
        return self.posterior(*self.reading(self.set_of(query)))

    def compared(self, query: Query) -> tf.Tensor:
        """See base class: from the mean of the posterior."""
        return self.decode_latent(self.encode(query))

    def encode(self, query: Query) -> tf.Tensor:
        """See `Latent`."""
        return self._posterior_after(query).mean

    def sample(self, query: Query, seeds: tf.Tensor) -> tf.Tensor:
        """See `Latent`."""
        noise = row_noise(seeds, [self.config.latent_dim])
        return self._posterior_after(query).at(noise)

    def decode(self, latent: tf.Tensor, query: Query) -> tf.Tensor:
        """See `Latent`."""
        del query
        return self.item_logits(self.decode_latent(latent))

    def posterior_draws(
        self, query: Query, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """See `Latent`: one draw for each history."""
        posterior = self._posterior_after(query)
        noise = tf.random.stateless_normal(tf.shape(posterior.mean), seed)
        return posterior.at(noise), posterior.mean
