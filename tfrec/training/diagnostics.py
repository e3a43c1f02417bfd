"""What the latents of a model are worth, measured on a sample."""

import numpy as np
import tensorflow as tf

from tfrec.batches import Query
from tfrec.data import PreparedDataset
from tfrec.models.base.items import newest
from tfrec.models.base.latent import Latent

# A dimension whose mean moves less than this across inputs carries nothing
# (Burda, Grosse, Salakhutdinov 2016, Importance Weighted Autoencoders).
ACTIVE_VARIANCE = 0.01

# The pipeline sorts about this many batches by length together.
_BATCHES = 32
# Histories encoded at a time: few, or looking takes more memory than training.
_CHUNK = 32


def correlation(latents: tf.Tensor) -> tf.Tensor:
    """Returns corr, the sum of squares of C - I (ACVAE, eq. 14).

    Args:
        latents: float `[n, latent_dim]`. C is the matrix of correlation
            coefficients of its columns. Of independent columns corr is about
            latent_dim (latent_dim - 1) / n.
    """
    centred = latents - tf.reduce_mean(latents, 0)
    scale = tf.sqrt(tf.reduce_sum(tf.square(centred), 0))
    unit = tf.math.divide_no_nan(centred, scale)
    coefficients = tf.matmul(unit, unit, transpose_a=True)
    return tf.reduce_sum(
        tf.square(tf.linalg.set_diag(coefficients, tf.zeros_like(scale)))
    )


def active_units(means: tf.Tensor) -> tf.Tensor:
    """Counts the dimensions that vary with the input.

    Args:
        means: float `[n, latent_dim]`, the posterior's centre for n inputs.
    """
    variance = tf.math.reduce_variance(means, 0)
    return tf.reduce_sum(tf.cast(variance > ACTIVE_VARIANCE, tf.int32))


class LatentDiagnostics:
    """Diagnostics of a model with latents, on the same histories each time.

    Args:
        latent: Of the model.
        max_length: Newest items of a history to read.
        data: Its validation histories are the sample.
        sequences: Number of histories, or a few more.
    """

    def __init__(
        self,
        latent: Latent,
        max_length: int,
        data: PreparedDataset,
        sequences: int,
    ):
        self._latent = latent
        sequences = min(sequences, data.examples("validation"))
        # So many small batches are of all lengths; one large one would be of
        # the shortest histories.
        batches = data.evaluation("validation", -(-sequences // _BATCHES))
        queries = [
            batch.query._replace(history=newest(batch.history, max_length))
            for batch in batches.take(_BATCHES)
        ]
        width = max(query.history.shape[1] for query in queries)
        padded = [
            tf.pad(q.history, [[0, 0], [0, width - q.history.shape[1]]])
            for q in queries
        ]
        history = tf.concat(padded, 0)
        user = tf.concat([query.user for query in queries], 0)
        self._chunks = [
            Query(history[start : start + _CHUNK], user[start : start + _CHUNK])
            for start in range(0, len(history), _CHUNK)
        ]

    def __call__(self) -> tuple[dict[str, float], tf.Tensor]:
        """Measures the latents of every position.

        Returns:
            `corr`, `active_units` and `collapsed`, the share of the other
            units; and the sampled latents, `[n, drawn_dim]`.
        """
        samples, means = zip(
            *(
                self._draw(query, tf.constant([0, chunk]))
                for chunk, query in enumerate(self._chunks)
            ),
            strict=True,
        )
        samples = tf.concat(samples, 0)
        active = int(active_units(tf.concat(means, 0)))
        numbers = {
            "corr": float(correlation(samples)),
            "active_units": active,
            "collapsed": 1.0 - active / samples.shape[-1],
        }
        return numbers, samples

    def units(self, draws: int = 32) -> tuple[np.ndarray, np.ndarray]:
        """Measures each unit of the latents on its own.

        The KL is that of Gaussians with the mean and the variance of several
        draws at a position, against the standard normal prior, on average over
        the positions. Of Gaussian posteriors that is their KL but for chance;
        of others it is what Gaussians as wide would have.

        Args:
            draws: At each position, at least 3.

        Returns:
            The variance over positions of the posterior's centre, and the KL
            in nats, float64 `[drawn_dim]` each.
        """
        centres, kls, positions = [], 0.0, 0
        for chunk, query in enumerate(self._chunks):
            total = squares = 0.0
            for draw in range(draws):
                seed = tf.constant([1 + draw, chunk])
                sample, centre = (x.numpy() for x in self._draw(query, seed))
                total = total + sample.astype(np.float64)
                squares = squares + np.square(sample, dtype=np.float64)
            mean = total / draws
            variance = (squares - draws * mean**2) / (draws - 1)
            variance = np.maximum(variance, 1e-12)
            # The log of a variance of n draws is too low, by 1 / (n - 1); the
            # square of their mean too high, by the variance / n.
            log_variance = np.log(variance) + 1 / (draws - 1)
            kl = mean**2 - variance / draws + variance - 1 - log_variance
            kls = kls + 0.5 * kl.sum(0)
            positions += len(centre)
            centres.append(centre)
        return np.concatenate(centres).var(0), kls / positions

    @tf.function(reduce_retracing=True, autograph=False)
    def _draw(self, query, seed):
        return self._latent.posterior_draws(query, seed)
