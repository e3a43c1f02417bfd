"""SVAE: sequential variational autoencoder for recommendation (WSDM'19).

Sachdeva, Manco, Ritacco, Pudi: Sequential Variational Autoencoders for
Collaborative Filtering. https://arxiv.org/abs/1811.09975

The paper, part by part:

    h_t = GRU(x_1 ... x_t), then a layer of tanh units
        -> `TanhEncoder`, here
    z_t ~ q(z | x_1 ... x_t) = N(mu(h_t), diag sigma^2(h_t)), prior N(0, I)
        -> layers/posteriors/flow.py, without flows
    p(x | z_t): a layer of tanh units and a softmax over items
    x_{t+1} ... x_{t+k}: the next k items, as a set (`--target_window`)
        -> layers/losses/

    min:  sum_t  -E_q[1/k sum_j log p(x_{t+j} | z_t)]
                 + beta KL(q(z | x_1 ... x_t) || p(z))

The sum is written once for every combination of such parts, in
`PerPosition.objective`; this file says which parts SVAE has, and adds the one
that no other model has. The authors' code departs from the bound, and this
does not follow it: there the likelihood is summed over t but the KL averaged,
beta starts again at 0 in each epoch, one output is taken for sigma by the
draw and for log sigma^2 by the KL, z is drawn at test too, and the last item
of a history is not read. The 1/k, and fewer targets near the end, are its own.
"""

import keras
import tensorflow as tf

from tfrec.layers.encoders import GRUEncoder
from tfrec.models.base.per_position import PerPosition
from tfrec.models.configs.svae import SVAEConfig


class TanhEncoder(GRUEncoder):
    """tanh(W GRU(x) + b): what the Gaussian reads.

    Args:
        gru_units: Size of the GRU's state.
        units: Size of the layer behind it.
        activation: As for `GRUEncoder`, of the GRU's state.
    """

    def __init__(self, gru_units: int, units: int, activation: str, **kwargs):
        super().__init__(gru_units, activation, **kwargs)
        self.dim = units
        self.hidden = keras.layers.Dense(units, activation="tanh")

    def build(self, input_shape):
        """See base class."""
        super().build(input_shape)
        self.hidden.build((*input_shape[:-1], self.gru.units))

    def call(self, embedded: tf.Tensor, training: bool = False) -> tf.Tensor:
        """See base class."""
        return self.hidden(super().call(embedded, training=training))


@keras.saving.register_keras_serializable("tfrec")
class SVAE(PerPosition):
    """A Gaussian latent at each position, and the next k items as a set.

    Args:
        num_items: Number of items in the vocabulary.
        config: Settings.
        num_users: Not used.
    """

    config_class = SVAEConfig
    config: SVAEConfig

    def make_encoder(self) -> TanhEncoder:
        """See base class."""
        c = self.config
        return TanhEncoder(
            c.gru_units, c.encoder_units, c.encoder_activation, name="encoder"
        )
