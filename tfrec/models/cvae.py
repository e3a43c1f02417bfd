"""CVAE: what a history leaves open is the latent; the prior is learned.

No paper's: a conditional variational autoencoder (Sohn, Lee and Yan, NIPS'15)
at every position of a sequence, with the parts of this package.

    h_t = GRU(x_1 ... x_t)
        -> layers/encoders.py
    p(z | h_t): z = mu_p(h_t) + sigma_p(h_t) u with u ~ N(0, I), which
    `--prior_flows` may bend, planar flows whose parameters are functions of h_t
        -> layers/posteriors/flow.py, layers/amortized_flows.py
    q(z | h_t, x'), the posterior, x' the next w items (`--target_window`): u is
    a Gaussian of [h_t; the mean of e(x')], bent by K planar flows, whose
    parameters are functions of them too (amortised). It starts as the prior
    (Vahdat and Kautz, NeurIPS'20)
        -> layers/posteriors/recognition.py
    p(x | z): a layer and a softmax over items, which reads z and nothing else

    min:  sum_t  -1/w sum_i E_q[log p(x'_i | z)]
                 + beta E_q[log q(z | h_t, x') - log p(z | h_t)]

In ACVAE, VASER and SVAE the posterior sees what a recommendation sees, so that
a KL divergence to N(0, I) can only take away from what it says. Here it costs
what the next items add to the history. With beta = 1 / w the objective is 1 / w
of a bound on -log p(x' | h_t) from above, for a mixture over z of products of
softmaxes; not at the last w - 1 positions of a sequence, where fewer items come
and beta is too small for it. With w = 1 a latent can only add what the logits
of h_t, of low rank, can not say (Yang et al., ICLR'18). With more, it can say
what the items to come have in common. It is measured by `python -m
benchmarks.likelihood`.

Training draws from q, a recommendation from p: `--posterior_samples` averages
its predictions over draws, and 0 takes the prior's u = 0. The sum is written
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
