"""The bound that models with a latent train on, with its KL annealed."""

import tensorflow as tf

from tfrec.models.base.learned import Learned, Terms

# In the order to show them.
BOUND_TERMS = ("loss", "reconstruction", "kl", "bound", "beta")


def annealed_bound(
    model: Learned,
    reconstruction: tf.Tensor,
    kl: tf.Tensor,
    weight: tf.Tensor,
    penalty: tf.Tensor | None = None,
) -> Terms:
    """Returns the negative of a bound on log p(x), and its terms.

        loss  = reconstruction + beta penalty, which is kl
        bound = reconstruction + kl

    Args:
        model: With the settings `VariationalConfig`.
        reconstruction: -E_q[log p(x | z)], a weighted sum.
        kl: KL(q(z | x) || p(z)), the same.
        weight: float32 `[batch]`, the weights of the rows.
        penalty: What beta weighs in place of `kl`, if anything.
    """
    c = model.config
    beta = c.kl_weight * model.ramp(c.anneal_steps)
    loss = reconstruction
    # Not 0 * kl: with beta = 0 nothing holds the KL, and it may overflow.
    if c.kl_weight:
        loss += beta * (kl if penalty is None else penalty)
    return {
        "loss": loss,
        "reconstruction": reconstruction,
        "kl": kl,
        "bound": reconstruction + kl,
        "beta": beta * tf.reduce_sum(weight),
    }
