"""The local server: models, a batcher, gRPC and REST."""

import functools
import threading
from pathlib import Path

from tfrec.errors import InputError
from tfrec.serving.batching import Batcher
from tfrec.serving.config import ServerConfig
from tfrec.serving.grpc_service import GrpcServer
from tfrec.serving.http import HttpServer
from tfrec.serving.model_configs import FoundModels, read_model_configs
from tfrec.serving.models import Models
from tfrec.serving.monitoring import Monitoring
from tfrec.serving.predictor import Predictor
from tfrec.serving.request_log import RequestLogs
from tfrec.serving.rest import RestApplication


class Server:
    """Serves the models of a folder for development and tests.

    Attributes:
        config: Its settings.
        models: What it serves.
        grpc_port: The port for gRPC.
        rest_port: The port for REST.
    """

    def __init__(self, config: ServerConfig):
        """Loads the models, then listens.

        Raises:
            InputError: If there is no model to serve, or a port is taken.
        """
        self.config = config
        export_dir = Path(config.export_dir)
        if config.model_config_file:
            read = functools.partial(
                read_model_configs, Path(config.model_config_file), export_dir
            )
        else:
            read = FoundModels(export_dir)
        monitoring = Monitoring()
        self._logs = RequestLogs(config, monitoring)
        self.models = Models(lambda: self._logs.follow(read()))
        if not any(self.models.available().values()):
            raise InputError(
                f"There is no model in `--export_dir` {export_dir} that can "
                "be loaded. `python -m tfrec.export` writes one."
            )
        self._batcher = Batcher(config.max_batch_size, config.max_waiting)
        self._predictor = predictor = Predictor(
            self.models,
            self._batcher,
            monitoring,
            config.request_timeout,
            self._logs,
        )
        self._grpc = GrpcServer(self.models, predictor, config)
        application = RestApplication(
            self.models, predictor, monitoring, config
        )
        try:
            self._rest = HttpServer(
                application,
                config.host,
                config.rest_port,
                config.request_timeout,
                "--rest_port",
                config.max_request_bytes,
            )
        except InputError:
            self._grpc.stop(0)
            raise
        self.grpc_port = self._grpc.port
        self.rest_port = self._rest.port
        self.models.start_polling(config.poll_seconds)

    def stop(self, grace: float | None = None) -> None:
        """Takes no more requests, answers those in progress, and ends.

        Args:
            grace: Most seconds to wait for answers; the request timeout by
                default.
        """
        if grace is None:
            grace = self.config.request_timeout
        # Side by side, so that neither takes requests while the other waits.
        stops = [
            threading.Thread(target=part.stop, args=(grace,))
            for part in (self._grpc, self._rest)
        ]
        for thread in stops:
            thread.start()
        for thread in stops:
            thread.join()
        self._batcher.close()
        self.models.close()
        self._logs.close(grace)
