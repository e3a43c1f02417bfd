"""What the linear models share: a weight for each pair of items, solved for."""

import numpy as np
import tensorflow as tf

from tfrec.batches import Query
from tfrec.errors import InputError
from tfrec.models.base.counted import Counted
from tfrec.models.base.counting import following
from tfrec.models.base.items import distinct_array, newest
from tfrec.models.base.least_squares import LeastSquares
from tfrec.models.configs.linear import LinearConfig


def add_sets(
    equations: LeastSquares,
    items: np.ndarray,
    share: float | np.ndarray = 1.0,
    normalize: bool = False,
) -> None:
    """Adds sets of items that explain themselves to the equations.

    Args:
        equations: What to add to.
        items: int32 `[batch, length]`, 0 at the end; repeated ones count once.
        share: Weight of the squared errors, or of those of each sequence,
            `[batch, 1]`.
        normalize: Whether what explains is divided by its sum.
    """
    items = distinct_array(items)
    sizes = np.maximum((items > 0).sum(1, keepdims=True), 1)
    scale = 1.0 / sizes if normalize else np.ones(sizes.shape)
    for distance in range(items.shape[1]):
        there = items[:, distance:] > 0
        one, other = following(items, distance)
        inputs, targets = (
            np.broadcast_to(share * weight, there.shape)[there]
            for weight in (scale**2, scale)
        )
        for pair in ((one, other), (other, one))[: 2 if distance else 1]:
            equations.add_inputs(*pair, inputs)
            if equations.targets is not equations.inputs:
                equations.add_targets(*pair, targets)


class LinearModel(Counted):
    """Scores items by x B: sums of what each item of a history says of them.

    A subclass adds up the equations of B in `collect`, and says in `read_last`
    what x is.

    Args:
        num_items: Number of items in the vocabulary.
        config: Settings.
        num_users: Not used.

    Attributes:
        own_targets: Whether sequences explain themselves, see `LeastSquares`.
        bound: Largest weight of an item for itself.
        weights_between: B, float32 `[num_items, num_items]`.

    Raises:
        InputError: If there are more items than the settings allow.
    """

    config: LinearConfig
    weighs = True
    own_targets = True
    bound = 0.0

    def __init__(
        self,
        num_items: int,
        config: LinearConfig | None = None,
        num_users: int = 0,
    ):
        super().__init__(num_items, config, num_users)
        if num_items > self.config.max_items:
            pair = 16 if self.own_targets else 20
            raise InputError(
                f"`--max_items` must be at least the number of items, "
                f"{num_items}, to solve for a weight of each pair of items in "
                f"{pair * num_items**2 / 1e9:.1f} GB. Received: "
                f"{self.config.max_items}. Raise it if there is as much "
                "memory, or prepare the data with a larger `--min_item_count`."
            )
        self.weights_between = self.add_weight(
            shape=(num_items, num_items),
            initializer="zeros",
            trainable=False,
            name="weights_between",
        )
        self.built = True

    def collect(
        self, items: np.ndarray, weight: np.ndarray, equations: LeastSquares
    ) -> None:
        """Adds sequences to the equations of B.

        Args:
            items: int32 `[batch, length]`, from 1, 0 at the end.
            weight: float64 `[batch, 1]`, what each weighs.
            equations: What to add to.
        """
        raise NotImplementedError

    def read_last(self, history: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns what a score reads of histories: the places in x, and x.

        Args:
            history: int32 `[batch, length]`, 0 at the end.

        Returns:
            Items, int32 `[batch, n]`, 0 for none, and float32 `[batch, n]`.
        """
        raise NotImplementedError

    def adapt(self, batches: tf.data.Dataset) -> None:
        """Solves for B; what was solved before is forgotten.

        Args:
            batches: One epoch of training batches.
        """
        equations = LeastSquares(self.num_items, self.own_targets)
        for batch in self.read(batches):
            weight = batch.recency[:, None].astype(np.float64)
            self.collect(batch.items, weight, equations)
        solved = equations.solve(self.config.l2_weight, self.bound)
        # With as few copies as there can be.
        weights = solved.astype(np.float32)
        del equations, solved
        self.weights_between.assign(weights)

    def score(self, query: Query) -> tf.Tensor:
        """Returns log softmax(x B); without a known item, the popularity."""
        history = newest(query.history, self.config.max_length)
        items, weights = self.read_last(history)
        places = tf.where(items > 0)
        columns = tf.cast(tf.gather_nd(items, places), tf.int64) - 1
        rows = tf.cast(tf.shape(history)[0], tf.int64)
        inputs = tf.SparseTensor(
            tf.stack([places[:, 0], columns], 1),
            tf.gather_nd(weights, places),
            tf.stack([rows, self.num_items]),
        )
        scores = tf.sparse.sparse_dense_matmul(
            inputs, tf.convert_to_tensor(self.weights_between)
        )
        popularity = tf.cast(tf.math.log(self.popularities()), tf.float32)
        known = tf.reduce_any(history > 0, 1, keepdims=True)
        return tf.nn.log_softmax(tf.where(known, scores, popularity))
