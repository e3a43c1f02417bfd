"""SLIST: session-aware linear item-item models (WWW'21).

Choi, Kim, Lee, Shim, Lee: Session-aware Linear Item-Item Models for
Session-based Recommendation. https://arxiv.org/abs/2103.16104

The paper, part by part:

    SLIS: the set x of a session explains itself, ||X - X B||^2,
    with diag(B) <= xi
        -> base/linear.py, add_sets
    SLIT: at each click the clicks so far, s, explain those to come, t:
    ||T - S B||^2, the k-th last of s and the k-th of t weighing d^(k-1)
        -> `add_futures`, here; d = exp(-1 / delta_pos)
    SLIST: min_B alpha SLIS + (1 - alpha) SLIT + lambda ||B||^2
    B = (alpha X'X + (1 - alpha) S'S + lambda I)^-1
        (alpha X'X + (1 - alpha) S'T)
        -> base/least_squares.py, where the bound xi is kept in all cases
    scores = s B, with a decay of their own
        -> base/linear.py

The weights of sessions by their age, exp(-age / delta_time), are `--recency`;
the age is the share of the log that is newer, not a time. The past and the
future have a decay each, and the future may end after `--target_window` items;
with `--history_decay=0` the past is its last click, "sr" in the authors' code.
A repeated click adds to s and t each time, in x it counts once, both as there.
"""

import keras
import numpy as np
import tensorflow as tf

from tfrec.models.base.counting import following
from tfrec.models.base.least_squares import LeastSquares
from tfrec.models.base.linear import LinearModel, add_sets
from tfrec.models.configs.slist import SLISTConfig


def add_futures(
    equations: LeastSquares,
    items: np.ndarray,
    share: np.ndarray,
    past: float,
    future: float,
    window: int,
    normalize: bool,
) -> None:
    """Adds histories that explain what comes to the equations.

    Neither S nor T is made. With c_t = 1, or 1 / (1 + ... + past^t) if inputs
    are normalised, a pair of items at positions p <= q of n adds

        past^(q-p) sum_{q <= t < n-1} (past^(t-q) c_t)^2              to S'S
        sum_{p <= t < q <= t + window} past^(t-p) future^(q-t-1) c_t  to S'T

    Args:
        equations: What to add to.
        items: int32 `[batch, length]`, 0 at the end.
        share: Weight of the squared errors of each sequence, `[batch, 1]`.
        past: Weight of an item of s for 1 of the next.
        future: Weight of an item of t for 1 of the one before.
        window: Items of t.
        normalize: Whether s is divided by its sum.
    """
    length = items.shape[1]
    powers = past ** np.arange(length)
    scale = 1.0 / np.cumsum(powers) if normalize else np.ones(length)
    # The sum over t of S'S, from the end; 0 for the last item of a sequence.
    sums = np.zeros([len(items), length])
    for t in range(length - 2, -1, -1):
        each = scale[t] ** 2 + past**2 * sums[:, t + 1]
        sums[:, t] = np.where(items[:, t + 1] > 0, each, 0.0)
    # The sum over t of S'T, by p, for one distance q - p after the other.
    pairs = np.zeros(length)
    for distance in range(length):
        later = items[:, distance:] > 0
        one, other = following(items, distance)
        if powers[distance]:
            inputs = (share * powers[distance] * sums[:, distance:])[later]
            equations.add_inputs(one, other, inputs)
            if distance:
                equations.add_inputs(other, one, inputs)
        if distance:
            pairs = future * pairs[:-1]
            pairs += powers[distance - 1] * scale[distance - 1 : -1]
            beyond = distance - 1 - window
            if beyond >= 0:
                gone = powers[beyond] * future**window
                pairs -= gone * scale[beyond : length - 1 - window]
            targets = np.broadcast_to(share * pairs, later.shape)[later]
            equations.add_targets(one, other, targets)


@keras.saving.register_keras_serializable("tfrec")
class SLIST(LinearModel):
    """Sets explain themselves, and decayed pasts explain decayed futures.

    Args:
        num_items: Number of items in the vocabulary.
        config: Settings.
        num_users: Not used.
    """

    config_class = SLISTConfig
    config: SLISTConfig
    own_targets = False

    @property
    def bound(self) -> float:
        """See base class."""
        return self.config.diagonal_bound

    def collect(
        self, items: np.ndarray, weight: np.ndarray, equations: LeastSquares
    ) -> None:
        """See base class."""
        c = self.config
        if c.whole_share:
            share = c.whole_share * weight
            add_sets(equations, items, share, c.normalize_inputs)
        if c.whole_share < 1:
            add_futures(
                equations,
                items,
                (1 - c.whole_share) * weight,
                c.history_decay,
                c.target_decay,
                c.target_window,
                c.normalize_inputs,
            )

    def read_last(self, history: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See base class: the last item counts 1."""
        length = tf.shape(history)[1]
        lengths = tf.math.count_nonzero(
            history, 1, keepdims=True, dtype=tf.int32
        )
        before_last = tf.maximum(lengths - 1 - tf.range(length), 0)
        decay = tf.constant(self.config.score_decay)
        return history, decay ** tf.cast(before_last, tf.float32)
