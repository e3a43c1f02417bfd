"""Counts and latencies for Prometheus, under TensorFlow Serving's names."""

import collections
import threading
from collections.abc import Iterator

import prometheus_client
from grpc import StatusCode
from prometheus_client.core import Metric

PATH = "/monitoring/prometheus/metrics"
_COUNT = ":tensorflow:serving:request_count"
_LOG_COUNT = ":tensorflow:serving:request_log_count"
# 10 microseconds to 20 seconds, in steps of 1.8, as TensorFlow Serving has.
_BUCKETS = [10 * 1.8**n for n in range(26)]


class Monitoring:
    """Collects what the server does; a registry of its own, none global."""

    def __init__(self):
        self._lock = threading.Lock()
        self._counts = collections.Counter()
        self._log_counts = collections.Counter()
        self._registry = prometheus_client.CollectorRegistry()
        self._registry.register(self)
        prometheus_client.ProcessCollector(registry=self._registry)
        self._latency = prometheus_client.Histogram(
            ":tensorflow:serving:request_latency",
            "Microseconds from a request to its answer.",
            ["model_name", "API", "entrypoint"],
            buckets=_BUCKETS,
            registry=self._registry,
        )

    def observe(
        self, model: str, entrypoint: str, code: StatusCode, seconds: float
    ) -> None:
        """Counts a request for a prediction.

        Args:
            model: Name of the model, empty for one that there is not.
            entrypoint: "GRPC" or "REST".
            code: How it ended.
            seconds: What it took.
        """
        with self._lock:
            self._counts[model, code.name] += 1
        self._latency.labels(model, "predict", entrypoint).observe(
            seconds * 1e6
        )

    def observe_log(self, model: str, code: StatusCode) -> None:
        """Counts a request that was to be logged.

        Args:
            model: Name of the model.
            code: OK if it was logged.
        """
        with self._lock:
            self._log_counts[model, code.name] += 1

    def collect(self) -> Iterator[Metric]:
        """Gives the counts to the registry, which calls this.

        A `prometheus_client.Counter` would add `_total` to the name, which
        TensorFlow Serving does not have.
        """
        for name, text, counts, status in (
            (_COUNT, "Requests by their end.", self._counts, "status"),
            (
                _LOG_COUNT,
                "Requests that were to be logged.",
                self._log_counts,
                "status_code",
            ),
        ):
            metric = Metric(name, text, "unknown")
            with self._lock:
                for (model, code), count in counts.items():
                    labels = {"model_name": model, status: code}
                    metric.add_sample(name, labels, count)
            yield metric

    def text(self) -> bytes:
        """Returns the page that Prometheus reads."""
        return prometheus_client.generate_latest(self._registry)
