"""The base of models that may be used by a moving average of their weights."""

import contextlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from tfrec.models.base.recommender import Recommender


class Averaged(Recommender):
    """A model that holds its weights in training, and otherwise their average.

        average <- m average + (1 - m) weight, after each step

    by TensorFlow's `ExponentialMovingAverage`: in step n after its start m is
    (1 + n) / (10 + n), where that is less than the momentum. Averages go back
    to Polyak and Juditsky (SIAM J. Control Optim. 1992).

    While `fit` runs, the variables hold the weights; all that Keras offers to
    read them, save or set them there has the averages all the same. When it
    ends, the variables hold the averages, and the weights are kept aside, so
    that the next `fit` goes on bit for bit. A model that is compiled anew, or
    was loaded from a file of Keras, goes on from its averages.
    """

    _average: tf.train.ExponentialMovingAverage | None = None
    _holds_weights = False

    def average_weights(self, momentum: float) -> None:
        """Averages from here on, or no longer; `compile` calls it.

        Args:
            momentum: m; 0 for no average.
        """
        self._average = None
        if not momentum:
            return
        self._average_steps = tf.Variable(
            0,
            dtype=tf.int64,
            trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        self._average = tf.train.ExponentialMovingAverage(
            momentum, num_updates=self._average_steps
        )
        # Makes its variables, outside of `fit`'s graph.
        self._average.apply(self._averaged())

    def count_weights(self) -> None:
        """Counts the weights of a step; `train_step` calls it."""
        if self._average:
            self._average_steps.assign_add(1)
            self._average.apply(self._averaged())

    def other_weights(self) -> list[tf.Variable]:
        """See base class: what is kept aside, and the steps averaged."""
        if not self._average:
            return []
        return [*self._aside(), self._average_steps]

    def restart_average(self) -> None:
        """See base class."""
        if not self._average:
            return
        for variable, aside in zip(
            self._averaged(), self._aside(), strict=True
        ):
            aside.assign(tf.convert_to_tensor(variable))
        self._average_steps.assign(0)

    @contextlib.contextmanager
    def in_training(self) -> Iterator[None]:
        """See base class."""
        if not self._average:
            yield
            return
        # A tensor first: on several devices the variable is no number.
        if int(tf.convert_to_tensor(self._average_steps)):
            self._swap()
        else:
            self.restart_average()
        self._holds_weights = True
        try:
            yield
        finally:
            self._swap()
            self._holds_weights = False

    @contextlib.contextmanager
    def as_used(self) -> Iterator[None]:
        """See base class."""
        if not self._holds_weights:
            yield
            return
        self._swap()
        self._holds_weights = False
        try:
            yield
        finally:
            self._swap()
            self._holds_weights = True

    def _averaged(self) -> list[tf.Variable]:
        return [variable.value for variable in self.trainable_variables]

    def _aside(self) -> list[tf.Variable]:
        return [self._average.average(v) for v in self._averaged()]

    def _swap(self) -> None:
        for variable, aside in zip(
            self._averaged(), self._aside(), strict=True
        ):
            held = tf.identity(variable)
            variable.assign(tf.convert_to_tensor(aside))
            aside.assign(held)

    # What Keras reads, saves and sets ---------------------------------------

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """See base class; within `fit` too."""
        with self.as_used():
            return super().evaluate(*args, **kwargs)

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """See base class; within `fit` too."""
        with self.as_used():
            return super().predict(*args, **kwargs)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """See base class; within `fit` too."""
        with self.as_used():
            super().save(*args, **kwargs)

    def save_weights(self, *args: Any, **kwargs: Any) -> None:
        """See base class; within `fit` too."""
        with self.as_used():
            super().save_weights(*args, **kwargs)

    def get_weights(self) -> list[Any]:
        """See base class; within `fit` too."""
        with self.as_used():
            return super().get_weights()

    def set_weights(self, weights: list[Any]) -> None:
        """See base class; training goes on from them."""
        super().set_weights(weights)
        self.restart_average()

    def load_weights(self, *args: Any, **kwargs: Any) -> None:
        """See base class; training goes on from them."""
        super().load_weights(*args, **kwargs)
        self.restart_average()
