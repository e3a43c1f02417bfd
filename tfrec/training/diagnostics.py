"""What the latents of a model are worth, measured on a sample."""

import tensorflow as tf

from tfrec.data import PreparedDataset
from tfrec.models.recommender import newest
from tfrec.models.variational import VariationalRecommender

# A dimension whose mean moves less than this across inputs carries nothing
# (Burda, Grosse, Salakhutdinov 2016, Importance Weighted Autoencoders).
_ACTIVE_VARIANCE = 0.01

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
    return tf.reduce_sum(tf.cast(variance > _ACTIVE_VARIANCE, tf.int32))


class LatentDiagnostics:
    """Diagnostics of a model with latents, on the same histories each time.

    Args:
        model: A model with a posterior.
        data: Its validation histories are the sample.
        sequences: Number of histories, or a few more.
    """

    def __init__(
        self,
        model: VariationalRecommender,
        data: PreparedDataset,
        sequences: int,
    ):
        self._model = model
        sequences = min(sequences, data.examples("validation"))
        # So many small batches are of all lengths; one large one would be of
        # the shortest histories.
        batches = data.evaluation("validation", -(-sequences // _BATCHES))
        histories = [
            newest(batch.history, model.config.max_length)
            for batch in batches.take(_BATCHES)
        ]
        width = max(history.shape[1] for history in histories)
        padded = tf.concat(
            [
                tf.pad(history, [[0, 0], [0, width - history.shape[1]]])
                for history in histories
            ],
            0,
        )
        self._chunks = [
            padded[start : start + _CHUNK]
            for start in range(0, len(padded), _CHUNK)
        ]

    def __call__(self) -> tuple[dict[str, float], tf.Tensor]:
        """Measures the latents of every position.

        Returns:
            `corr`, `active_units` and `collapsed`, the share of the other
            units; and the sampled latents, `[n, posterior_dim]`.
        """
        samples, means = zip(
            *(
                self._latents(history, tf.constant([0, chunk]))
                for chunk, history in enumerate(self._chunks)
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

    @tf.function(reduce_retracing=True)
    def _latents(self, history, seed):
        # Its own fixed noise: looking must not change what training draws.
        noise = tf.random.stateless_normal(
            [*tf.unstack(tf.shape(history)), self._model.noise_dim],
            seed,
        )
        drawn = self._model.posterior_dim
        encoded = self._model.encode(history)
        samples = self._model.draw(encoded, noise)[..., :drawn]
        means = self._model.draw(encoded, None)[..., :drawn]
        valid = history > 0
        return tf.boolean_mask(samples, valid), tf.boolean_mask(means, valid)
