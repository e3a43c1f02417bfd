"""Serves exported models on this machine, for development and tests.

Speaks TensorFlow Serving's protocol, gRPC and REST, from the same SavedModels
and the same model configuration file. In production run the real server: see
docs/operations.md and the files in export/. This one is written in Python,
has no authentication and no TLS, and listens at the loopback address.

    python -m tfrec.serve --export_dir=export/models \\
        --grpc_port=8500 --rest_port=8501

    # Ask it; with ids of the quickstart here.
    curl -d '{"instances": [["salsa-001", "bluegrass-015"]]}' \\
        http://localhost:8501/v1/models/acvae:predict
    python -m tfrec.recommend --server=localhost:8500 \\
        --history=salsa-001,bluegrass-015

A new version in the folder is taken over while requests run. SIGTERM and
Ctrl-C answer the requests in progress, then end.
"""

from tfrec import cli, settings
from tfrec.imports import lean_imports
from tfrec.serving.allocator import use_few_arenas
from tfrec.serving.config import ServerConfig
from tfrec.training.signals import sleep_until, stop_requested


def main() -> None:
    """Serves as the flags say."""
    config = settings.from_flags(ServerConfig)
    use_few_arenas()

    # Only here, so that help and errors need not wait for TensorFlow.
    with lean_imports():
        from tfrec.serving.listening import address
        from tfrec.serving.server import Server

    with stop_requested() as stop:
        server = Server(config)
        for name, versions in server.models.available().items():
            print(f"{name}: version {', '.join(map(str, versions)) or 'none'}")
        grpc = address(config.host, server.grpc_port)
        rest = address(config.host, server.rest_port)
        print(f"gRPC at {grpc}\nREST at http://{rest}", flush=True)
        sleep_until(stop)
        print("Stopping: answering the requests in progress.", flush=True)
        server.stop()


def run() -> None:
    """Runs the command."""
    cli.run(main, ServerConfig)


if __name__ == "__main__":
    run()
