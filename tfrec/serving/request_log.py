"""Logs a sample of the requests with their answers, as TensorFlow Serving does.

Which requests, and where to, a model's `logging_config` says, or the flags of
the server. Requests wait for nothing here: a thread writes, and what it cannot
write is counted and dropped.
"""

import os
import random
from collections.abc import Mapping, Sequence

import numpy as np
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.config.logging_config_pb2 import LoggingConfig
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig

from tfrec.errors import InputError
from tfrec.serving.config import ServerConfig
from tfrec.serving.monitoring import Monitoring
from tfrec.serving.request_collector import Answered, Collector, say
from tfrec.serving.request_files import SUFFIX, LogFiles

# The only collector that there is; TensorFlow Serving has none of its own.
_TYPES = ("", "file")
# What a look for new versions waits for a log that is no longer wanted.
_CLOSING_SECONDS = 5.0


class RequestLogs:
    """The logs of all models: which requests are kept, and where.

    Args:
        config: Of the server: a log for every model that has none in
            `models.config`, and the size and number of files.
        monitoring: Counts what is logged, and what is not.
    """

    def __init__(self, config: ServerConfig, monitoring: Monitoring):
        self._config = config
        self._monitoring = monitoring
        self._default = LoggingConfig()
        if config.log_requests:
            collector = self._default.log_collector_config
            collector.filename_prefix = config.log_requests
            self._default.sampling_config.sampling_rate = config.log_sampling
        self._collectors: dict[str, Collector] = {}
        self._rates: dict[str, tuple[float, Collector]] = {}

    def follow(self, models: list[ModelConfig]) -> list[ModelConfig]:
        """Logs as these configurations say, and returns them.

        Raises:
            InputError: If one of them cannot be followed; all is then logged
                as before.
        """
        wanted = {}
        for model in models:
            own = model.HasField("logging_config")
            logging = model.logging_config if own else self._default
            if logging != LoggingConfig():
                by = f"filename_prefix of {model.name}"
                by = by if own else "`--log_requests`"
                wanted[model.name] = (*_checked(logging, model.name), by)
        # Before a thread begins: what cannot be followed leaves none behind.
        files = {
            prefix: LogFiles(
                prefix,
                self._config.log_file_mb * 2**20,
                self._config.log_files,
                named_by,
            )
            for _, prefix, named_by in wanted.values()
            if prefix not in self._collectors
        }
        collectors = {
            prefix: self._collectors.get(prefix)
            or Collector(files[prefix], self._monitoring.observe_log)
            for _, prefix, _ in wanted.values()
        }
        before, self._collectors = self._collectors, collectors
        self._rates = {
            name: (rate, collectors[prefix])
            for name, (rate, prefix, _) in wanted.items()
        }
        for prefix in files:
            say(f"Requests are logged in {prefix}-*{SUFFIX}.")
        for prefix in before.keys() - collectors.keys():
            before[prefix].close(_CLOSING_SECONDS)
        return models

    def record(
        self,
        asked: ModelSpec,
        spec: ModelSpec,
        inputs: Mapping[str, np.ndarray],
        output_filter: Sequence[str],
        outputs: Mapping[str, np.ndarray],
    ) -> None:
        """Logs a request, or not, by chance; the arguments: `Answered`."""
        rate, collector = self._rates.get(spec.name, (0.0, None))
        if random.random() < rate:
            collector.put(
                Answered(asked, spec, inputs, output_filter, outputs, rate)
            )

    def close(self, timeout: float | None = None) -> None:
        """Writes what waits, and ends.

        Args:
            timeout: Most seconds to wait for a disk.
        """
        self._rates = {}
        for collector in self._collectors.values():
            collector.close(timeout)


def _checked(logging: LoggingConfig, model: str) -> tuple[float, str]:
    """Returns the sampling rate and the prefix of a configuration.

    Raises:
        InputError: If it is not what can be done here.
    """
    collector = logging.log_collector_config
    rate = logging.sampling_config.sampling_rate
    plain = LoggingConfig(log_collector_config=collector)
    plain.sampling_config.sampling_rate = rate
    whole = LoggingConfig()
    # Both parts, be they empty, so that the two can be compared.
    whole.log_collector_config.SetInParent()
    whole.sampling_config.SetInParent()
    whole.MergeFrom(logging)
    if collector.type not in _TYPES or whole != plain:
        raise InputError(
            f"logging_config of {model} may have sampling_rate, "
            "filename_prefix and the type 'file', and nothing else. Received: "
            f"{' '.join(str(logging).split())}."
        )
    if not 0 <= rate <= 1 or not collector.filename_prefix:
        raise InputError(
            f"logging_config of {model} must have a filename_prefix and a "
            f"sampling_rate from 0 to 1. Received: "
            f"{collector.filename_prefix or 'no prefix'} and {rate:g}."
        )
    return rate, os.path.abspath(collector.filename_prefix)
