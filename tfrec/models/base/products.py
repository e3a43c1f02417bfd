"""Scores that are products: what a search among the items has to know."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import tensorflow as tf

from tfrec.batches import Query
from tfrec.layers.item_logits import ItemLogits


class Products(NamedTuple):
    """Scores as products of a state with one vector for each item.

    They are the logits: log-probabilities, but for one number for each
    history. So they rank the items as `score` does.

    Attributes:
        vectors: Returns float32 `[num_items, dim]`, biases inside.
        states: Returns the state after each history, float32 `[batch, dim]`,
            of a `Query`.
    """

    vectors: Callable[[], tf.Tensor]
    states: Callable[[Query], tf.Tensor]


class ItemProducts:
    """What models share that score items by `item_logits`.

    Attributes:
        item_logits: Compares vectors with those of the items.
    """

    item_logits: ItemLogits

    def products_of(self, hidden: Callable[[Query], tf.Tensor]) -> Products:
        """Returns the products of `item_logits`.

        Args:
            hidden: Returns the one vector after each history that all items
                are compared with.
        """
        logits = self.item_logits
        return Products(
            logits.product_vectors,
            lambda query: logits.product_states(hidden(query)),
        )

    @contextlib.contextmanager
    def frozen(
        self, logits: Callable[[tf.Tensor], tf.Tensor] | None = None
    ) -> Iterator[Any]:
        """See `Contract`."""
        with self.item_logits.read_only(logits) as copy:
            yield copy
