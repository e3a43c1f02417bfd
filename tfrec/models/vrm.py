"""VRM: variational recurrent model for sessions (CIKM'18).

Wang et al.: Variational Recurrent Model for Session-based Recommendation; the
row "CRM" in VASER's table.

Its idea, part by part; a session is x_1 ... x_n:

    h_n = GRU(x_1 ... x_n), z ~ q(z | x) = N(mu(h_n), diag sigma^2(h_n)),
        one latent for a session, prior N(0, I)
        -> `posterior_of`, here; layers/posteriors/flow.py, without flows
    s_0 = tanh(W z + b), s_t = GRU(x_t, s_{t-1}): the decoder
    p(x_{t+1} | z, x_1 ... x_t): a softmax over items, from s_t
        -> `hidden_after`, here; layers/item_logits.py

    min:  -E_q[sum_t log p(x_{t+1} | z, x_1 ... x_t)]
          + beta KL(q(z | x) || p(z)), beta annealed
        -> models/base/bound.py

There is no code of the authors, and this was written from the idea. What was
chosen here: the first click too is reconstructed, from z alone; the clicks of
the session, not the decoder's own, are what it reads; after a prefix, z is the
mean of q(z | prefix), and the decoder reads the prefix from there. So z has
seen a whole session in training, of which it can tell the decoder as much as
beta lets it, and the prefix alone at prediction.
"""

import keras
import tensorflow as tf

from tfrec.batches import Query, TrainingBatch
from tfrec.layers.posteriors import Draw, FlowPosterior
from tfrec.layers.recurrent import GRU
from tfrec.models.base.bound import BOUND_TERMS, annealed_bound
from tfrec.models.base.latent import Latent, row_noise
from tfrec.models.base.learned import Terms
from tfrec.models.base.vector_model import VectorModel
from tfrec.models.configs.vrm import VRMConfig
from tfrec.settings import Settings
from tfrec.shapes import Positions


@keras.saving.register_keras_serializable("tfrec")
class VRM(VectorModel):
    """A latent of the session, from which a GRU writes it click by click.

    Args:
        num_items: Number of items in the vocabulary.
        config: Settings.
        num_users: Not used.
    """

    config_class = VRMConfig
    config: VRMConfig
    terms = BOUND_TERMS

    def __init__(
        self,
        num_items: int,
        config: Settings | None = None,
        num_users: int = 0,
    ):
        super().__init__(num_items, config, num_users)
        c = self.config
        self.make_embedding()
        self.encoder = GRU(c.gru_units, name="encoder")
        self.posterior = FlowPosterior(
            c.latent_dim, 0, c.initial_scale, name="posterior"
        )
        self.to_state = keras.layers.Dense(
            c.gru_units, activation="tanh", name="to_state"
        )
        self.decoder = GRU(c.gru_units, name="decoder")
        self.to_vector = keras.layers.Dense(
            c.embedding_dim, use_bias=False, name="to_vector"
        )
        self.make_head()
        self.encoder.build((None, None, c.embedding_dim))
        self.posterior.build((None, c.gru_units))
        self.to_state.build((None, c.latent_dim))
        self.decoder.build((None, None, c.embedding_dim))
        self.to_vector.build((None, c.gru_units))
        self.build_head(c.embedding_dim)
        self.built = True

    def posterior_of(
        self, items: tf.Tensor, noise: tf.Tensor | None, training: bool = False
    ) -> Draw:
        """Draws one latent for each session.

        Args:
            items: int32 `[batch, length]`.
            noise: Standard normal draws, `[batch, latent_dim]`; None for 0.
            training: Whether dropout is on.
        """
        states = self.encoder(self.embed(items, training), training=training)
        before = tf.zeros_like(states[:, :1])
        return self.posterior(
            _at_end(tf.concat([before, states], 1), items), noise
        )

    def decoder_states(
        self, latent: tf.Tensor, items: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """Returns s_0, the state before the first item, to s_length.

        Args:
            latent: z, `[batch, latent_dim]`.
            items: int32 `[batch, length]`.
            training: Whether dropout is on.

        Returns:
            float32 `[batch, 1 + length, gru_units]`.
        """
        start = self.to_state(latent)
        states = self.decoder(
            self.embed(items, training), training=training, initial_state=start
        )
        return tf.concat([start[:, None], states], 1)

    def vectors(self, states: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns what items are compared with, `[..., embedding_dim]`."""
        return self.decoder_dropout(self.to_vector(states), training=training)

    # Training ---------------------------------------------------------------

    def objective(self, batch: TrainingBatch, training: bool = True) -> Terms:
        """Returns the bound of each session; see the base class."""
        items = batch.items
        noise = keras.random.normal(
            [tf.shape(items)[0], self.config.latent_dim], seed=self.noise_seed
        )
        draw = self.posterior_of(items, noise, training)
        states = self.decoder_states(draw.latent, items[:, :-1], training)
        # After nothing the first item comes.
        whole = batch._replace(items=tf.pad(items, [[0, 0], [1, 0]]))
        positions = Positions.where(items > 0, batch.weight)
        hidden = self.vectors(positions.read(states), training)
        return annealed_bound(
            self,
            self.prediction_loss(hidden, whole, positions),
            tf.reduce_sum(batch.weight * draw.kl),
            batch.weight,
        )

    # Scoring and sampling ---------------------------------------------------

    def hidden_draws(self, query: Query) -> list[tf.Tensor]:
        """See base class: from the mean of the posterior."""
        return [self.hidden_after(self.encode(query), query)]

    def hidden_after(self, latent: tf.Tensor, query: Query) -> tf.Tensor:
        """Returns the vector after each history, from a latent."""
        items = self.read_newest(query).history
        states = self.decoder_states(latent, items)
        return self.vectors(_at_end(states, items))

    def latent(self) -> Latent:
        """See base class."""
        return self

    def encode(self, query: Query) -> tf.Tensor:
        """See `Latent`."""
        items = self.read_newest(query).history
        return self.posterior_of(items, None).latent

    def sample(self, query: Query, seeds: tf.Tensor) -> tf.Tensor:
        """See `Latent`."""
        noise = row_noise(seeds, [self.config.latent_dim])
        return self.posterior_of(self.read_newest(query).history, noise).latent

    def decode(self, latent: tf.Tensor, query: Query) -> tf.Tensor:
        """See `Latent`: the decoder reads the history again."""
        return self.log_probabilities(self.hidden_after(latent, query), query)

    def posterior_draws(
        self, query: Query, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """See `Latent`: one draw for each history."""
        items = self.read_newest(query).history
        shape = [tf.shape(items)[0], self.config.latent_dim]
        noise = tf.random.stateless_normal(shape, seed)
        return (
            self.posterior_of(items, noise).latent,
            self.posterior_of(items, None).latent,
        )


def _at_end(states: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
    """Returns the state after the last item of each row, `[batch, dim]`.

    Args:
        states: `[batch, 1 + length, dim]`, the first before any item.
        items: int32 `[batch, length]`.
    """
    count = tf.math.count_nonzero(items, 1, dtype=tf.int32)
    return tf.gather(states, count, batch_dims=1)
