"""A moving average of the weights, for validation, the test and serving."""

import contextlib
from collections.abc import Iterator, Sequence

import tensorflow as tf


class WeightAverage:
    """average <- m average + (1 - m) weight, after each step.

    Polyak and Juditsky (SIAM J. Control Optim. 1992), with TensorFlow's
    `ExponentialMovingAverage`: in step n, m is (1 + n) / (10 + n) where that is
    less than the momentum.

    While `fit` runs, the variables hold the weights; otherwise their averages,
    so that everything that reads them has the averages. A swap copies both, so
    that training goes on bit for bit.

    Args:
        variables: What is averaged. It is built, and all of it is trained.
        momentum: m.
        steps: The counter of steps.

    Attributes:
        begun: Whether the averages are of a training, and not to be begun.
    """

    def __init__(
        self,
        variables: Sequence[tf.Variable],
        momentum: float,
        steps: tf.Variable,
    ):
        self._variables = list(variables)
        self._average = tf.train.ExponentialMovingAverage(
            momentum, num_updates=steps
        )
        self._training = False
        self.begun = False
        # Makes the variables of the averages, outside of `fit`'s graph.
        self.update()

    @property
    def others(self) -> list[tf.Variable]:
        """What the variables do not hold: averages in `fit`, else weights."""
        return [self._average.average(v) for v in self._variables]

    def update(self) -> None:
        """Counts the weights of a step."""
        self._average.apply(self._variables)

    @contextlib.contextmanager
    def training(self) -> Iterator[None]:
        """A part of training: the variables hold the weights."""
        if self.begun:
            self._swap()
        else:
            for variable, other in zip(
                self._variables, self.others, strict=True
            ):
                other.assign(tf.convert_to_tensor(variable))
        self._training = self.begun = True
        try:
            yield
        finally:
            self._training = False
            self._swap()

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """A part of training in which the variables hold the averages."""
        if not self._training:
            yield
            return
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for variable, other in zip(self._variables, self.others, strict=True):
            held = tf.identity(variable)
            variable.assign(tf.identity(other))
            other.assign(held)
