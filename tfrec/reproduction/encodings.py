"""VASER's Figure 2: what models encode sessions as, in the plane by t-SNE."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from tfrec.errors import InputError
from tfrec.models.base.next_item import NextItem
from tfrec.training.run import Run, load_run

# Of Figure 2.
SESSIONS = 2048


def encodings(folder: Path, sessions: int = SESSIONS) -> np.ndarray:
    """Returns what a run encodes test sessions as, without their last click.

    A model with a latent gives a draw of it, and the attention beside it;
    another its last state.

    Args:
        folder: Of a run of NARM, VASER or one like them.
        sessions: How many, drawn at random; the same for each model.

    Returns:
        float32 `[sessions, dim]`, in the order of the sessions.
    """
    run = load_run(folder)
    records, found = [], []
    encode = _encoder(run)
    for batch in run.data.evaluation("test", run.config.evaluation_batch_size):
        records.append(batch.record.numpy())
        found.append(encode(batch.query, batch.record).numpy())
    records, found = np.concatenate(records), np.concatenate(found)
    # The rows of a session come in their order: its last is the longest.
    order = np.argsort(records, kind="stable")
    ends = np.flatnonzero(np.diff(records[order], append=records.max() + 1))
    last = order[ends]
    chosen = np.random.default_rng(0).permutation(len(last))[:sessions]
    return found[last[np.sort(chosen)]]


def _encoder(run: Run):
    model, latent = run.model, run.model.latent()

    @tf.function(reduce_retracing=True, autograph=False)
    def encode(query, record):
        if latent is not None:
            # A draw of its own for each session.
            seeds = tf.stack([tf.zeros_like(record), record], -1)
            return latent.sample(query, seeds)
        states, _, last = model.last_states(model.read_newest(query))
        return tf.gather(states, last, batch_dims=1)

    if latent is None and not isinstance(model, NextItem):
        raise InputError(f"{run.folder} holds a model without states.")
    return encode


def in_plane(points: np.ndarray, seed: int = 0) -> np.ndarray:
    """Returns t-SNE of points, `[n, 2]`.

    Args:
        points: `[n, dim]`.
        seed: Of the search.

    Raises:
        InputError: If scikit-learn is not installed.
    """
    try:
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise InputError(
            "t-SNE needs scikit-learn: pip install scikit-learn."
        ) from error
    perplexity = min(30.0, (len(points) - 1) / 3)
    search = TSNE(init="pca", perplexity=perplexity, random_state=seed)
    return search.fit_transform(points)


def spread(points: np.ndarray) -> float:
    """Returns how many dimensions points fill: (sum l)^2 / sum l^2.

    l are the eigenvalues of their covariance. It is 1 for points of a line,
    and the number of dimensions where these vary alike and independently.

    Args:
        points: `[n, dim]`.
    """
    covariance = np.cov(points, rowvar=False)
    return float(np.trace(covariance) ** 2 / np.sum(covariance**2))
