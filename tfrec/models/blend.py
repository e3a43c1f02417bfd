"""Blend: finished models that recommend together.

A logarithmic opinion pool (Genest and Zidek, 1986; Heskes, NIPS'97) of models
m that were trained apart:

    log p(j | h) = sum_m w_m log p_m(j | h) - log Z(h),    w_m >= 0

Models that err on different histories may rank better together than alone.
w_m also sets how sharp member m is: one member alone is that member at the
temperature 1 / w. The weights are chosen on the validation split, see
`base/pool_weights.py`; the members are not trained on.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from tfrec.batches import Query, TrainingBatch
from tfrec.errors import InputError
from tfrec.models.base.items import exclude
from tfrec.models.base.pool_weights import choose_weights
from tfrec.models.base.recommender import Recommender
from tfrec.models.configs.blend import BlendConfig
from tfrec.models.registry import get_model

# No log-probability of a member is lower: that of an item that it rules out
# has no end, and would rule it out for all.
_LOWEST = -100.0


@keras.saving.register_keras_serializable("tfrec")
class Blend(Recommender):
    """Adds up the log-probabilities of its members.

    Args:
        num_items: Number of items in the vocabulary.
        config: Settings, with `parts`: each a `model`, its name in the
            registry, and its `settings`.
        num_users: Number of users, for members that need it.

    Attributes:
        members: The models.
        pool_weights: float32 `[members]`, w.

    Raises:
        InputError: If `parts` is empty.
    """

    config_class = BlendConfig
    config: BlendConfig
    one_pass = True
    weighs = False
    blends = True

    def __init__(
        self,
        num_items: int,
        config: BlendConfig | None = None,
        num_users: int = 0,
    ):
        super().__init__(num_items, config, num_users)
        if not self.config.parts:
            raise InputError(
                "`--members` must name the runs to blend. Received: none."
            )
        self.members = []
        for part in self.config.parts:
            model = get_model(part["model"])
            settings = model.config_class.from_dict(part["settings"])
            self.members.append(model(num_items, settings, num_users))
        count = len(self.members)
        self.pool_weights = self.add_weight(
            shape=(count,),
            initializer="ones",
            trainable=False,
            name="pool_weights",
        )
        if self.config.weights:
            self.pool_weights.assign(self.config.weights)
        self.built = True

    @property
    def needs_user(self) -> bool:
        """See base class: whether a member does."""
        return any(member.needs_user for member in self.members)

    @property
    def leaves_out_history(self) -> bool:
        """See base class: whether a member does."""
        return any(member.leaves_out_history for member in self.members)

    @property
    def needs_adapt(self) -> bool:
        """See base class: whether a member that counts does."""
        return any(m.one_pass and m.needs_adapt for m in self.members)

    @property
    def tables(self) -> dict[str, tf.Variable]:
        """See base class: those of all members."""
        return {
            f"{place}.{name}": table
            for place, member in enumerate(self.members)
            for name, table in member.tables.items()
        }

    # Keras saves each member by itself.
    save_own_variables = keras.Model.save_own_variables
    load_own_variables = keras.Model.load_own_variables

    def adapt(self, batches: tf.data.Dataset) -> None:
        """Lets members count that have counted nothing yet.

        Args:
            batches: One epoch of training batches.
        """
        for member in self.members:
            if member.one_pass and member.needs_adapt:
                member.adapt(batches)

    @property
    def chooses(self) -> bool:
        """See base class: whether no weights were given."""
        return not self.config.weights

    def choose(self, batches: tf.data.Dataset, metric: str) -> None:
        """See base class: sets the weights."""
        self.pool_weights.assign(
            choose_weights(
                self.log_probabilities,
                batches,
                metric,
                len(self.members),
                self.num_items,
            )
        )

    def chosen(self) -> dict[str, Any]:
        """See base class: the weights."""
        if not self.chooses:
            return {}
        return {
            "weights": [float(f"{w:.5g}") for w in self.pool_weights.numpy()]
        }

    def train_step(self, batch: TrainingBatch) -> dict[str, tf.Tensor]:
        """Learns nothing.

        Returns:
            `members`, their number.
        """
        self.count_tokens(batch)
        return {"members": tf.constant(len(self.members))}

    def log_probabilities(self, query: Query) -> tf.Tensor:
        """Returns what each member says, `[members, batch, num_items]`."""
        scores = tf.stack([member.score(query) for member in self.members])
        return tf.maximum(scores, _LOWEST)

    def score(self, query: Query) -> tf.Tensor:
        """See base class: the weighted sum, made a distribution."""
        found = self.log_probabilities(query)
        pooled = tf.tensordot(self.pool_weights, found, 1)
        if self.leaves_out_history:
            pooled = exclude(pooled, query.history)
        return tf.nn.log_softmax(pooled)

    @contextlib.contextmanager
    def frozen(self, logits: Any = None) -> Iterator[Any]:
        """See base class: what the members read fastest."""
        del logits
        with contextlib.ExitStack() as stack:
            yield [
                stack.enter_context(member.frozen()) for member in self.members
            ]
