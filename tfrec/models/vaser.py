"""VASER: variational session-based recommendation, normalizing flows (WWW'19).

Zhou, Wen, Zhang, Trajcevski, Zhong: Variational Session-based Recommendation
Using Normalizing Flows. https://doi.org/10.1145/3308558.3313615

The paper, part by part, with its equation numbers:

    h_t, c_t: a GRU and NARM's attention                            (section 3)
        -> layers/encoders.py, layers/session_attention.py
    z_0 ~ N(mu(h), diag sigma^2(h)), z_K = f_K(... f_1(z_0))        (5), (6)
    log q_K(z_K) = log q_0(z_0) - sum_k log|det df_k / dz_{k-1}|    (7)
    f(z) = z + u tanh(w'z + b), planar, kept invertible             (8)
        -> layers/posteriors/flow.py, layers/planar_flow.py
    logits = E B [z_K; c], tied to the item embeddings E

    min:  -E[log p(s | z_K)]
          + beta E[log q_0(z_0) - sum_k log|det df_k| - log p(z_K)] (9)

Eq. 9 prints the log-determinant with the opposite sign, and drops
E[log q_0(z_0)] as a constant; it depends on sigma and is kept. The objective
as printed is `--objective=printed`. The KL starts at about 180 nats a prefix,
unless `--initial_scale` starts sigma at the prior's 1, not 0.1. The sum is
written once for every combination of such parts, in `PerPosition.objective`;
this file says which parts VASER has.
"""

import keras

from tfrec.models.base.per_position import PerPosition
from tfrec.models.configs.vaser import VASERConfig


@keras.saving.register_keras_serializable("tfrec")
class VASER(PerPosition):
    """A Gaussian bent by planar flows, beside an attention vector.

    One causal pass over a session trains every prefix: position t reads the
    clicks up to x_t and predicts x_{t+1}.

    Args:
        num_items: Number of items in the vocabulary.
        config: Settings.
        num_users: Not used.
    """

    config_class = VASERConfig
    config: VASERConfig
