"""Items drawn by their popularity, for losses that need not see all."""

from typing import NamedTuple

import keras
import tensorflow as tf

from tfrec.errors import InputError
from tfrec.layers.losses.base import ItemLoss

# The correction of an item drawn before: its logit is as good as -infinity.
_AGAIN = 1e30


class Sample(NamedTuple):
    """Items drawn by their popularity, the same for every position.

    Attributes:
        places: int64 `[draws]`, places of the items in the order of
            popularity, from 0, ascending.
        log_chances: float32 `[draws]`, log of the chance that a sample has
            each. Of an item drawn before, far above 0, so that the softmax
            leaves it out.
        target_log_chances: float32, the same of the targets.
    """

    places: tf.Tensor
    log_chances: tf.Tensor
    target_log_chances: tf.Tensor


def draw_items(
    target_places: tf.Tensor,
    draws: int,
    num_items: int,
    seed: keras.random.SeedGenerator,
    cumulative: tf.Tensor | None = None,
) -> Sample:
    """Draws items, the one in place r each time with p ~ log((r+2) / (r+1)).

    Or with the chances that `cumulative` adds up.

    TensorFlow's log-uniform sampler, with two differences. Its random state is
    out of reach: a run that resumes would continue with other samples, and
    replicas would not draw the same. And it estimates the chances; here they
    are known. The draws are stratified: draw i is uniform within the i-th of
    equal parts of the distribution, so that an item that spans a part is in
    every sample.

    Args:
        target_places: int64, places of the targets in the order of popularity.
        draws: Number of draws. An item drawn several times counts once.
        num_items: Number of items to draw from.
        seed: Where the draws come from.
        cumulative: float64 `[num_items]`, the chance of each place and all
            before it, up to 1.
    """
    # An item in place r spans log(r+1) to log(r+2), in these units.
    unit = tf.math.log(tf.constant(num_items + 1.0, tf.float64)) / draws

    def span(places):
        """Returns where items start and end, counted in parts."""
        if cumulative is None:
            places = tf.cast(places, tf.float64)
            return (tf.math.log(places + n) / unit for n in (1.0, 2.0))
        before = tf.gather(cumulative, tf.maximum(places - 1, 0))
        start = tf.where(places > 0, before, 0.0) * draws
        return start, tf.gather(cumulative, places) * draws

    def log_chances(places):
        start, end = span(places)
        # The end of the first part that it reaches into; one draw falls
        # before it, another behind it.
        edge = tf.floor(start) + 1
        before = tf.minimum(end, edge) - start
        behind = tf.clip_by_value(end - edge, 0.0, 1.0)
        return tf.cast(
            tf.math.log(before + behind - before * behind), tf.float32
        )

    drawn = tf.range(draws, dtype=tf.float64)
    drawn += keras.random.uniform([draws], dtype="float64", seed=seed)
    if cumulative is None:
        places = tf.cast(tf.exp(drawn * unit), tf.int64) - 1
    else:
        places = tf.searchsorted(
            cumulative, drawn / draws, side="right", out_type=tf.int64
        )
    # Rounding could lead one place beyond the last.
    places = tf.minimum(places, num_items - 1)
    again = tf.concat([[False], places[1:] == places[:-1]], 0)
    chances = tf.where(again, _AGAIN, log_chances(places))
    return Sample(places, chances, log_chances(target_places))


class Drawn(NamedTuple):
    """Columns of items that were drawn, the same for every position.

    Attributes:
        columns: int32 `[draws]`, from 0; an item may come again.
        log_chances: float32 `[draws]`, log of the chance that a sample has
            each; of an item that came before, far above 0.
        target_log_chances: float32, the same of the targets.
    """

    columns: tf.Tensor
    log_chances: tf.Tensor
    target_log_chances: tf.Tensor

    @property
    def counts(self) -> tf.Tensor:
        """Which of the columns did not come before, bool `[draws]`."""
        return self.log_chances < 1.0


class PopularitySampler(keras.layers.Layer):
    """Draws items, popular ones more often, see `draw_items`.

    Args:
        num_items: Number of items.
        draws: Draws of an item in a step.
        power: Draws in proportion to the number of interactions, 1 at least,
            to this power. None: by the place in the order of popularity.

    Raises:
        InputError: If `draws` is not below the number of items.
    """

    def __init__(
        self, num_items: int, draws: int, power: float | None = None, **kwargs
    ):
        super().__init__(**kwargs)
        if draws >= num_items:
            raise InputError(
                f"`--negatives` must be below the number of items ({num_items})"
                f". Received: {draws}. Lower it, or set `--loss=softmax`."
            )
        self.num_items = num_items
        self.draws = draws
        self.seed_generator = keras.random.SeedGenerator()
        # The columns in the order of popularity, and each column's place in
        # it: the vocabulary's own order until `order_by`.
        self.order, self.places = (
            self.add_weight(
                name=name,
                shape=[num_items],
                initializer=lambda shape, dtype: tf.range(
                    shape[0], dtype=dtype
                ),
                dtype="int64",
                trainable=False,
            )
            for name in ("order", "places")
        )
        self.power = power
        self.cumulative = None
        if power is not None:
            # Even until `order_by`.
            self.cumulative = self.add_weight(
                name="cumulative",
                shape=[num_items],
                initializer=lambda shape, dtype: _added_up(tf.ones(shape)),
                dtype="float64",
                trainable=False,
            )
        self.built = True

    def order_by(self, counts: tf.Tensor) -> None:
        """Sets the popularity.

        Args:
            counts: float32 `[num_items]`, interactions per item.
        """
        order = tf.argsort(counts, direction="DESCENDING", stable=True)
        self.order.assign(order)
        self.places.assign(tf.math.invert_permutation(order))
        if self.power is not None:
            times = tf.maximum(tf.cast(tf.gather(counts, order), "float64"), 1)
            self.cumulative.assign(_added_up(times**self.power))

    def draw(self, targets: tf.Tensor) -> Drawn:
        """Draws a sample.

        Args:
            targets: int32, columns whose chances are asked for too.
        """
        sample = draw_items(
            tf.gather(self.places.value, targets),
            self.draws,
            self.num_items,
            self.seed_generator,
            None if self.power is None else self.cumulative.value,
        )
        columns = tf.gather(self.order.value, sample.places)
        return Drawn(
            tf.cast(columns, targets.dtype),
            sample.log_chances,
            sample.target_log_chances,
        )


def _added_up(parts: tf.Tensor) -> tf.Tensor:
    """Returns the share of each and all before it, float64 `[n]`."""
    total = tf.cumsum(tf.cast(parts, tf.float64))
    return total / total[-1]


class SampleLoss(ItemLoss):
    """A loss on the targets and on items that a sampler draws.

    Args:
        sampler: Draws items.
        matmul_dtype: Type in which the product with the sample is taken.
        exclude_history: See base class.
    """

    needs_popularity = True

    def __init__(
        self,
        sampler: PopularitySampler,
        matmul_dtype: str = "float32",
        exclude_history: bool = False,
        **kwargs,
    ):
        super().__init__(exclude_history, **kwargs)
        self.sampler = sampler
        self.matmul_dtype = matmul_dtype

    def order_by(self, counts: tf.Tensor) -> None:
        """See base class."""
        self.sampler.order_by(counts)
