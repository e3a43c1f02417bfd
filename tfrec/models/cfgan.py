"""CFGAN: a generative adversarial network of sets (CIKM'18).

Chae, Kang, Kim, Lee: CFGAN: A Generic Collaborative Filtering Framework based
on Generative Adversarial Networks. https://doi.org/10.1145/3269206.3271743

The user-based model with both of its devices, CFGAN-ZP, part by part:

    x, the set of a user's items, zeros and ones
    r = G(x): ratings of all items; a layer of sigmoid units, then linear
    e, 1 for the user's items; k, 1 for some drawn from the others
    D(x, r (e + k)): whether ratings are true; a layer of sigmoid units. True
    ones are x itself, which is 0 wherever k is 1
        -> `Discriminator`
    min over D:  -log D(x, x) - log(1 - D(x, r (e + k)))
    min over G:  -log D(x, r (e + k)) + alpha sum_j z_j r_j^2
    z, 1 for some drawn from the others: ratings that are to be 0
        -> `objective`

The paper lets G minimise log(1 - D); -log D is that of the authors' code. k
and z are drawn in each step, item by item with the probability of their
shares; there once for each epoch, and just as many as the shares say. Items
that the user has are in neither. G and D move in the same steps here, and in
turns of epochs with `--alternate_updates`, as there. Their penalty on the
squared weights of G is not here; `--weight_decay` is AdamW's.
"""

import keras
import tensorflow as tf

from tfrec.batches import Query, TrainingBatch
from tfrec.layers.item_sum import ItemSum
from tfrec.metrics.ranking import set_scores
from tfrec.models.base.items import distinct
from tfrec.models.base.learned import Rate, Terms
from tfrec.models.base.player import Player, in_turns
from tfrec.models.base.sets import SetModel
from tfrec.models.configs.cfgan import CFGANConfig


class Discriminator(keras.layers.Layer):
    """The logit of D: how true ratings look beside a user's items.

    Args:
        num_items: Number of items.
        units: Width of the hidden layer.
    """

    def __init__(self, num_items: int, units: int, **kwargs):
        super().__init__(**kwargs)
        self.condition = ItemSum(num_items, units, name="condition")
        self.ratings = ItemSum(num_items, units, use_bias=False, name="ratings")
        self.decide = keras.layers.Dense(1, name="decide")

    def build(self, input_shape):
        """Builds all layers."""
        self.condition.build(input_shape)
        self.ratings.build(input_shape)
        self.decide.build((None, self.condition.units))

    def call(
        self, bags: tf.Tensor, ratings: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Returns logits, float32 `[batch]`.

        Args:
            bags: int32 `[batch, length]`, the items of each user.
            ratings: float32 `[batch, num_items]`; the true ones by default, 1
                for the user's items.
        """
        if ratings is None:
            read = self.ratings(bags)
        else:
            read = self.ratings.product(ratings)
        hidden = tf.sigmoid(self.condition(bags) + read)
        return tf.squeeze(self.decide(hidden), -1)


@keras.saving.register_keras_serializable("tfrec")
class CFGAN(SetModel):
    """Ratings of all items, made from a set to look like it.

    Args:
        num_items: Number of items in the vocabulary.
        config: Settings.
        num_users: Not used.
    """

    config_class = CFGANConfig
    config: CFGANConfig
    terms = ("loss", "zero_reconstruction", "discriminator_loss")

    def __init__(
        self,
        num_items: int,
        config: CFGANConfig | None = None,
        num_users: int = 0,
    ):
        super().__init__(num_items, config, num_users)
        c = self.config
        self.item_sum = ItemSum(
            num_items, c.hidden_units, "sigmoid", name="item_sum"
        )
        self.item_sum.build((None, None))
        self.make_logits(c.hidden_units)
        self.discriminator = Discriminator(
            num_items, c.discriminator_units, name="discriminator"
        )
        self.discriminator.build((None, None))
        self.draw_seed = keras.random.SeedGenerator()
        self.built = True

    def draw(self, others: tf.Tensor, share: float) -> tf.Tensor:
        """Draws from items, each with the probability `share`.

        Args:
            others: bool `[batch, num_items]`, what to draw from.
            share: From 0 to 1.

        Returns:
            float32 `[batch, num_items]`, 1 for what was drawn.
        """
        chance = keras.random.uniform(tf.shape(others), seed=self.draw_seed)
        return tf.cast(others & (chance < share), tf.float32)

    def objective(self, batch: TrainingBatch, training: bool = True) -> Terms:
        """Returns the losses of G, `loss`, and of D; see the base class."""
        del training
        c = self.config
        bags = distinct(batch.items)
        ratings = self.item_logits.scores(self.item_sum(bags))
        own = set_scores(tf.zeros_like(ratings), bags, 1.0)
        others = own == 0.0
        zeros = self.draw(others, c.zero_share)
        seen = own + self.draw(others, c.masked_share)
        true = self.discriminator(bags)
        made = self.discriminator(bags, ratings * seen)

        def total(losses):
            return tf.reduce_sum(batch.weight * losses)

        # -log sigmoid(x) = softplus(-x), -log(1 - sigmoid(x)) = softplus(x).
        zero_reconstruction = total(
            tf.reduce_sum(zeros * tf.square(ratings), 1)
        )
        fooling = total(tf.nn.softplus(-made))
        return {
            "loss": fooling + c.zero_weight * zero_reconstruction,
            "zero_reconstruction": zero_reconstruction,
            "discriminator_loss": total(
                tf.nn.softplus(-true) + tf.nn.softplus(made)
            ),
        }

    @property
    def counts_steps(self) -> bool:
        """See base class."""
        return self.config.alternate_updates

    def players(self, rate: Rate) -> list[Player]:
        """Returns generator and discriminator."""
        c = self.config
        (of_d, of_g), cycle = [(0,), (0,)], 1
        if c.alternate_updates:
            (of_d, of_g), cycle = in_turns(
                c.discriminator_epochs, c.generator_epochs
            )
        generator = (
            self.item_sum.trainable_variables
            + self.item_logits.trainable_variables
        )
        return [
            Player(
                "generator",
                "loss",
                generator,
                self.adamw(rate(c.learning_rate, every=cycle / len(of_g))),
                of_g,
                cycle,
                by_epoch=True,
            ),
            Player(
                "discriminator",
                "discriminator_loss",
                self.discriminator.trainable_variables,
                self.adamw(
                    rate(c.discriminator_learning_rate, every=cycle / len(of_d))
                ),
                of_d,
                cycle,
                by_epoch=True,
            ),
        ]

    def compared(self, query: Query) -> tf.Tensor:
        """See base class; `score` is the softmax of the ratings."""
        return self.item_sum(self.set_of(query))
