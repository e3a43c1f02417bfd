"""CVAE: what a history leaves open is the latent; the prior is learned.

No paper's: a conditional variational autoencoder (Sohn, Lee and Yan, NIPS'15)
at every position of a sequence, with the parts of this package.

    h_t = GRU(x_1 ... x_t)
        -> layers/encoders.py
    p(z | h_t) = N(mu_p(h_t), diag sigma_p^2(h_t)), the prior, learned
    q(z | h_t, x_{t+1}), the posterior: z = mu_p + sigma_p u, u a Gaussian of
    [h_t; e(x_{t+1})], bent by K planar flows, whose parameters are functions of
    them too (amortised). It starts as the prior (Vahdat and Kautz, NeurIPS'20)
        -> layers/posteriors/flow.py, layers/amortized_flows.py
    p(x | z): a layer and a softmax over items, which reads z and nothing else

    min:  sum_t  -E_q[log p(x_{t+1} | z)]
                 + beta E_q[log q(z | h_t, x_{t+1}) - log p(z | h_t)]

In ACVAE, VASER and SVAE the posterior sees what a recommendation sees, so that
a KL divergence to N(0, I) can only take away from what it says. Here it costs
what the next item adds to the history, and with beta = 1 the objective bounds
-log p(x_{t+1} | h_t) from above, for a mixture of softmaxes over z. It is
measured by `python -m benchmarks.likelihood`.

Training draws from q, a recommendation from p: `--posterior_samples` averages
its predictions over draws, and 0 takes the prior's mean. The sum is written
once, in `PerPosition.objective`; this file says which parts CVAE has.
"""

import keras

from tfrec.models.base.per_position import PerPosition
from tfrec.models.configs.cvae import CVAEConfig


@keras.saving.register_keras_serializable("tfrec")
class CVAE(PerPosition):
    """A prior that the history tells, a posterior that knows the next item.

    Args:
        num_items: Number of items in the vocabulary.
        config: Settings.
        num_users: Not used.
    """

    config_class = CVAEConfig
    config: CVAEConfig
