"""Items drawn evenly for each position, for losses that need a few."""

import keras
import tensorflow as tf

from tfrec.errors import InputError
from tfrec.layers.losses.base import ItemLoss, Targets
from tfrec.layers.losses.histories import Histories


class UniformLoss(ItemLoss):
    """A loss on the targets and on k negatives, of each position its own.

    A negative that the sequence has does not count.

    Args:
        num_items: Number of items.
        negatives: k.
        exclude_history: See base class; the sequence's items are no negatives
            in any case.

    Raises:
        InputError: If `negatives` is not below the number of items.
    """

    def __init__(
        self,
        num_items: int,
        negatives: int = 1,
        exclude_history: bool = False,
        **kwargs,
    ):
        super().__init__(exclude_history, **kwargs)
        if negatives >= num_items:
            raise InputError(
                f"`--negatives` must be below the number of items ({num_items})"
                f". Received: {negatives}."
            )
        self.num_items = num_items
        self.negatives = negatives
        self.seed_generator = keras.random.SeedGenerator()

    def draw(
        self, targets: Targets, histories: Histories
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws the negatives.

        Args:
            targets: What came at the positions.
            histories: The sequences that they stand in.

        Returns:
            Their columns, int32 `[n, k]`, and which of them count, bool.
        """
        drawn = keras.random.randint(
            [tf.shape(targets.items)[0], self.negatives],
            0,
            self.num_items,
            seed=self.seed_generator,
        )
        counts = ~histories.hold(drawn)
        for j in range(targets.items.shape[1]):
            # Not `targets.columns`, in which no target is as item 1.
            counts &= drawn != targets.items[:, j, None] - 1
        return drawn, counts
