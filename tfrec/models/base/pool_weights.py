"""The weights of a pool of models that make what came next likeliest."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from scipy import optimize

from tfrec.batches import EvaluationBatch, Query
from tfrec.errors import InputError
from tfrec.models.base.items import EXCLUDED, exclude


def likeliest_weights(
    score: Callable[[Query], tf.Tensor], batches: tf.data.Dataset, count: int
) -> np.ndarray:
    """Maximises the mean log-likelihood of targets over weights w >= 0.

        L(w) = mean_rows mean_targets log softmax(sum_m w_m s_m)[target]

    over the items that are ranked. L is concave. Each of some twenty values of
    it is a pass over the data, of which a batch at a time is in memory.

    Args:
        score: Returns s, float32 `[count, batch, num_items]`.
        batches: Evaluation batches. Targets that are not in the vocabulary,
            or not ranked, are left out.
        count: Number of models.

    Returns:
        float64 `[count]`.

    Raises:
        InputError: If no weights are better than none.
    """

    @tf.function(reduce_retracing=True, autograph=False)
    def of_batch(batch: EvaluationBatch, weights: tf.Tensor) -> list[tf.Tensor]:
        """Returns sums over rows: 1, L, dL/dw, and the variance of each s."""
        scores = score(batch.query)
        logits = exclude(tf.tensordot(weights, scores, 1), batch.excluded)
        logs = tf.nn.log_softmax(logits)
        p = tf.exp(logs)
        centred = scores - tf.einsum("bj,mbj->mb", p, scores)[:, :, None]

        known = (batch.targets > 0) & (batch.targets <= tf.shape(p)[1])
        columns = tf.where(known, batch.targets - 1, 0)
        # Nor do items count that are not ranked.
        known &= tf.gather(logits, columns, batch_dims=1) > EXCLUDED
        share = tf.cast(known, tf.float32)
        share = tf.math.divide_no_nan(
            share, tf.reduce_sum(share, 1, keepdims=True)
        )

        def of_targets(values):
            found = tf.gather(values, columns, batch_dims=1)
            return tf.reduce_sum(share * found)

        return [
            tf.reduce_sum(share),
            of_targets(logs),
            tf.stack([of_targets(one) for one in tf.unstack(centred, count)]),
            tf.einsum("bj,mbj->m", p, centred**2),
        ]

    def means(weights: np.ndarray) -> list[np.ndarray]:
        total = [0.0] * 4
        given = tf.constant(weights, tf.float32)
        for batch in batches:
            found = of_batch(batch, given)
            total = [
                t + np.float64(f) for t, f in zip(total, found, strict=True)
            ]
        rows, *rest = total
        return [value / rows for value in rest]

    # In units in which all curve alike: members may be sharp or flat.
    first = np.full(count, 1.0 / count)
    *_, variance = means(first)
    unit = 1.0 / np.sqrt(np.maximum(variance, 1e-12))

    def loss(units: np.ndarray) -> tuple[float, np.ndarray]:
        likelihood, slope, _ = means(units * unit)
        return -likelihood, -slope * unit

    found = optimize.minimize(
        loss,
        first / unit,
        method="L-BFGS-B",
        jac=True,
        bounds=[(0.0, None)] * count,
        options={"ftol": 1e-8},
    )
    if not found.x.any():
        raise InputError(
            "`--members` must know something of the validation split. Received "
            "runs with which its targets are no likelier than by chance."
        )
    return found.x * unit
