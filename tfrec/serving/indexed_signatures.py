"""The signatures of an exported model that finds items by an index."""

import contextlib
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfrec.batches import Query
from tfrec.metrics.ranking import NEVER
from tfrec.models import Recommender
from tfrec.models.base.items import EXCLUDED, distinct
from tfrec.serving.inputs import Among
from tfrec.serving.item_index import Found, ItemIndex
from tfrec.serving.rows import rows_of
from tfrec.serving.signatures import Signatures


class IndexedSignatures(Signatures):
    """As `Signatures`, but what recommends searches an index.

    That is `serving_default`, `for_user` and `among`. Their scores are the
    products of the model: its logits. A log-probability is less by one number
    for each history, the log of a sum over all items, which is what an index
    saves. `score` and `sample` read all items, and give log-probabilities.

    Where a row names the items that it allows, these are scored, all of them,
    and nothing is searched.

    Args:
        index: Finds items.
        model: A trained model that has `products`.
        vocabulary: As for the base class, like all that follow.
        popularity: See there.
        k: See there.
        exclude_history: See there.
        users: See there.
    """

    def __init__(
        self,
        index: ItemIndex,
        model: Recommender,
        vocabulary: Path,
        popularity: tf.Tensor,
        k: int,
        exclude_history: bool,
        users: Path | None = None,
    ):
        super().__init__(
            model, vocabulary, popularity, k, exclude_history, users
        )
        self.index = index
        self._states = model.products().states
        falling = tf.argsort(popularity, direction="DESCENDING", stable=True)
        # The items, most popular first.
        self.most_popular = tf.Variable(falling + 1, trainable=False)

    def _freeze(
        self, model: Recommender
    ) -> contextlib.AbstractContextManager[Any]:
        """See base class."""
        return model.frozen(self.index.logits)

    def _recommended(
        self, query: Query, there: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """See base class."""
        left_out = self._left_out(query)
        found = self.index.search(self._states(query), left_out, self.k)
        return self._listed(
            tf.where(there, found.scores, self._popular.values),
            tf.where(there, found.columns, self._popular.indices),
        )

    def _recommended_among(
        self, query: Query, there: tf.Tensor, among: Among
    ) -> dict[str, tf.Tensor]:
        """See base class."""
        states = self._states(query)
        left_out = tf.concat([self._left_out(query), among.denied], 1)
        searched = self.index.search(states, left_out, self.k)
        # For nobody known: those of the most popular that are left, of which
        # there are k among so many.
        enough = self.k + tf.shape(left_out)[1]
        popular = self.most_popular[None, :enough]
        rows = tf.shape(states)[0]
        width = tf.maximum(tf.shape(among.allowed)[1], tf.shape(popular)[1])
        given = tf.where(
            among.named,
            _wide(among.allowed, width),
            tf.repeat(_wide(popular, width), rows, 0),
        )
        named = self._best_of(given, states, there, left_out)
        few = among.named | ~there
        return self._listed(
            tf.where(few, named.scores, searched.scores),
            tf.where(few, named.columns, searched.columns),
        )

    def _left_out(self, query: Query) -> tf.Tensor:
        """Returns the items that are not recommended, int32 `[batch, n]`."""
        items = query.history
        return items if self.exclude_history else tf.zeros_like(items)

    def _best_of(
        self,
        items: tf.Tensor,
        states: tf.Tensor,
        there: tf.Tensor,
        left_out: tf.Tensor,
    ) -> Found:
        """Finds the best of a few items for each row."""
        # Equals come in the order of columns, as in an exact list.
        items = tf.reverse(distinct(items), [1])
        items = _wide(items, tf.maximum(tf.shape(items)[1], self.k))
        columns = tf.maximum(items - 1, 0)
        scores = tf.where(
            there,
            self.index.score(states, items),
            rows_of(self.popularity, columns),
        )
        # Sorted, for lists may be long. The last entry is no item.
        without = tf.sort(left_out, 1)
        without = tf.pad(without, [[0, 0], [0, 1]], constant_values=NEVER)
        places = tf.searchsorted(without, items)
        gone = tf.gather(without, places, batch_dims=1) == items
        scores = tf.where((items == 0) | gone, EXCLUDED, scores)
        scores, best = tf.math.top_k(scores, self.k)
        return Found(scores, tf.gather(columns, best, batch_dims=1))


def _wide(items: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Pads rows of items with 0."""
    return tf.pad(items, [[0, 0], [0, width - tf.shape(items)[1]]])
