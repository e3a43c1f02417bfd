"""ACVAE: adversarial and contrastive variational autoencoder (WWW'21).

Xie, Liu, Zhang, Lu, Wang, Ding: Adversarial and Contrastive Variational
Autoencoder for Sequential Recommendation. https://doi.org/10.1145/3442381.3449873

The paper, part by part, with its equation numbers:

    z = z_phi(x, eps)                                               (2)
        embedding, GRU (11), noise, causal convolution (3.4.2)
        -> layers/encoders.py, layers/posteriors/implicit.py
    p_theta(x | z): a layer of tanh units and a softmax over items  (3.4.3)
    T_psi(x, z): the adversary, log q(z | x) - log p(z)             (7), (8)
        -> layers/critics/adversary.py
    G_omega(x, z): the contrastive critic, z against another user's (12)
        -> layers/critics/contrast.py

    min over phi, theta, omega:  -E_q[log p(x | z)] + alpha E_q[T] + beta (12)
    min over psi:                the logistic loss (7)              (13)

`--regularizer=l2` puts |z|^2 / 2 in the place of T: what it gives, T does not
add. `--contrast`, `--contrast_partners` and `--critic_optimizer` change G and
how both critics learn.

The sum is written once for every combination of such parts, in
`PerPosition.objective`; this file says which parts ACVAE has.
"""

import keras

from tfrec.models.base.per_position import PerPosition
from tfrec.models.configs.acvae import ACVAEConfig


@keras.saving.register_keras_serializable("tfrec")
class ACVAE(PerPosition):
    """An implicit posterior, an adversary for its KL, a contrast of users.

    Training starts at the items' popularity (`--start_at_popularity`): the
    decoder's tanh units would otherwise saturate while they learn it, and
    training stands still at the popularity model for many epochs.

    Args:
        num_items: Number of items in the vocabulary.
        config: Settings.
        num_users: Not used.
    """

    config_class = ACVAEConfig
    config: ACVAEConfig
