"""Listening for HTTP: what the REST interface and the explorer run on."""

import json
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from tfrec.errors import InputError
from tfrec.serving.usage import Usage

# Connections that may wait to be accepted.
_BACKLOG = 256


class _Handler(WSGIRequestHandler):
    """Handles a connection; silent, and with errors in JSON."""

    # Header and body are two packets: without this the second waits.
    disable_nagle_algorithm = True

    def run_wsgi(self):
        with self.server.usage:
            super().run_wsgi()

    def log(self, type, message, *args):
        """Logs nothing: requests are counted, not listed."""

    def send_error(self, code, message=None, explain=None):
        """Answers what is no HTTP, in JSON instead of HTML."""
        body = json.dumps({"error": message or self.responses[code][0]})
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body.encode("ascii"))


class HttpServer:
    """Serves a WSGI application, each connection in a thread of its own.

    Attributes:
        port: The port it listens at.
    """

    def __init__(
        self,
        application: Callable[..., Iterable[bytes]],
        host: str,
        port: int,
        timeout: float,
        flag: str,
    ):
        """Binds the port and starts.

        Args:
            application: What answers.
            host: Address to listen at.
            port: Port; 0 for a free one.
            timeout: Seconds that a client may be silent.
            flag: What names the port, for the message.

        Raises:
            InputError: If the port is taken.
        """
        address = (host, port)
        try:
            listener = socket.create_server(address, backlog=_BACKLOG)
        except OSError as error:
            raise InputError(
                f"Cannot listen at {host}:{port}: {error.strerror}. Give "
                f"`{flag}` a free port and `--host` an address of this machine."
            ) from error
        handler: Any = type("Handler", (_Handler,), {"timeout": timeout})
        with listener:
            # The server duplicates the descriptor.
            self._server = make_server(
                *address,
                application,
                threaded=True,
                request_handler=handler,
                fd=listener.fileno(),
            )
        self._server.usage = Usage()
        self.port = self._server.port
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="http", daemon=True
        )
        self._thread.start()

    def stop(self, grace: float) -> None:
        """Takes no more requests and waits for those in progress.

        Args:
            grace: Most seconds to wait.
        """
        self._server.shutdown()
        self._thread.join()
        self._server.usage.wait_until_unused(grace)
        self._server.server_close()
