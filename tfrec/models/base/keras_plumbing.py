"""What Keras's `fit` and `evaluate` need where several workers take part."""

import keras
import tensorflow as tf


class WorkerPlumbing(keras.Model):
    """A model whose numbers are exact on several replicas and workers."""

    def compile(self, **kwargs) -> None:
        """Prepares the model; see `Recommender.compile`."""
        super().compile(**kwargs)

        # Several workers add up each number that is read or set alone in an
        # exchange of its own; compiled, they add up all in one call.
        def compiled(function):
            if not self._by_workers:
                return function
            return tf.function(function, autograph=False)

        self._results = compiled(
            lambda: {
                name: value
                for metric in self.metrics
                for name, value in _named_results(metric).items()
            }
        )
        self._read_totals = compiled(
            lambda: [tf.convert_to_tensor(v) for v in self.metrics_variables]
        )
        self._reset_metrics = compiled(super().reset_metrics)

    @property
    def _by_workers(self) -> bool:
        return isinstance(
            self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy
        )

    def totals(self) -> list[tf.Tensor]:
        """Returns `metrics_variables`, summed over replicas."""
        return self._read_totals()

    def reset_metrics(self) -> None:
        """See base class."""
        self._reset_metrics()

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        # Everything is built before `fit`. Keras would average the first batch
        # over replicas here, and fail where their shapes differ.
        pass

    def _get_metrics_result_or_logs(self, logs):
        # The last step's logs average what the replicas hold. Read from here,
        # outside the replicas, a metric sums over them first.
        results = self._results()
        return {n: float(results.get(n, value)) for n, value in logs.items()}

    def _make_function(self, step_function):
        if not self._by_workers:
            return super()._make_function(step_function)
        # Keras averages each number over the workers by an exchange of its
        # own, along the first axis, which a scalar does not have.
        names = []

        def step(batch):
            logs = step_function(batch)
            names[:] = logs
            return tf.stack([tf.cast(x, tf.float32) for x in logs.values()])[
                None
            ]

        function = super()._make_function(step)
        return lambda iterator: dict(
            zip(names, tf.unstack(function(iterator)), strict=True)
        )


def _named_results(metric: keras.Metric) -> dict[str, tf.Tensor]:
    # Keras holds the metrics of `compile` in one that gives several, and that
    # is built by the first evaluation.
    if not getattr(metric, "built", True):
        return {}
    result = metric.result()
    return result if isinstance(result, dict) else {metric.name: result}
