"""ReLaVaR: recurrent latent variable networks for sessions (2017).

Chatzis, Christodoulou, Andreou: Recurrent Latent Variable Networks for
Session-Based Recommendation. https://arxiv.org/abs/1706.04026

Its idea, part by part; x_t is the click at t:

    z_t ~ q(z_t) = N(m_t, diag s_t^2), m_t and log s_t from a GRU that reads
        x_t and z_{t-1}: the recurrent units are the latents
        -> layers/posteriors/recurrent.py
    p(z_t) = N(0, I)
    p(x_{t+1} | z_t): a softmax over items
        -> layers/item_logits.py
    p(x_{t+1} | x_1 ... x_t): the mean over draws (`--posterior_samples`)

    min:  sum_t  -E_q[log p(x_{t+1} | z_t)] + beta KL(q(z_t) || p(z_t)),
          one draw for E_q, the KL in closed form

The sum is written once for every combination of such parts, in
`PerPosition.objective`; this file says which parts ReLaVaR has.

There is no code of the authors, and this was written from the idea. What was
chosen here: the draw itself goes on to the next step; m_t is the GRU's new
state, log s_t an affine function of tanh(m_t), which keeps draws from running
away; items are embedded, and the softmax has the same vectors (VASER's table
compares session models so). Two defaults depart from the paper: beta is small,
because with 1, the bound, the posterior collapses, and predictions are those of
the means, which rank as well as the mean over draws.
"""

import keras

from tfrec.models.base.per_position import PerPosition
from tfrec.models.configs.relavar import ReLaVaRConfig


@keras.saving.register_keras_serializable("tfrec")
class ReLaVaR(PerPosition):
    """A GRU whose state is drawn anew at each click.

    One pass over a session trains every prefix: the draw at position t depends
    on the clicks up to x_t and on the draws before.

    Args:
        num_items: Number of items in the vocabulary.
        config: Settings.
        num_users: Not used.
    """

    config_class = ReLaVaRConfig
    config: ReLaVaRConfig
