"""Listening for HTTP: what the REST interface and the explorer run on.

waitress reads and writes in one thread, however slow the clients are, and
hands whole requests to threads that answer them. Added to it here: a limit of
the time that a request takes to arrive, idle connections that make room for
new ones, an end that answers what was sent, and errors in JSON.
"""

import json
import logging
import math
import threading
import time
from collections.abc import Callable, Iterable

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask
from waitress.utilities import BadRequest, RequestEntityTooLarge

from tfrec.serving.listening import listen

# Connections that may wait to be accepted.
_BACKLOG = 1024
# Connections that are open; one more, and one that is idle is closed.
_MOST_OPEN = 400
# Requests that are answered at a time, most of them waiting for a batch.
_THREADS = 100
# Of a body that is too large, read before the answer: a client that is still
# sending would not see it.
_READ_AWAY = 64 * 2**20
# Seconds, at the end, for requests whose first part has come.
_REST_OF_A_REQUEST = 1.0


class _Parser(HTTPRequestParser):
    _to_read_away = 0

    def received(self, data: bytes) -> int:
        if self._to_read_away:
            taken = min(len(data), self._to_read_away)
            self._to_read_away -= taken
            self.completed = not self._to_read_away
            return taken
        try:
            taken = super().received(data)
        except ValueError:  # Such as http://[::1
            self.error = BadRequest("The URL is none.")
            self.completed = True
            return len(data)
        too_large = isinstance(self.error, RequestEntityTooLarge)
        if too_large and self.content_length and not self.expect_continue:
            self._to_read_away = min(self.content_length, _READ_AWAY)
            self.completed = False
        return taken


class _ErrorTask(ErrorTask):
    def execute(self):
        error = self.request.error
        text = f"{error.reason}: {error.body}"
        body = json.dumps({"error": text}).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", "application/json"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Channel(HTTPChannel):
    """A connection."""

    parser_class = _Parser
    error_task_class = _ErrorTask
    # When the first bytes came of a request that is not yet whole.
    began: float | None = None

    @property
    def idle(self) -> bool:
        """Whether no whole request waits for its answer."""
        return not (self.requests or self.total_outbufs_len)

    def received(self, data: bytes) -> bool:
        before = self.request
        result = super().received(data)
        if self.request is None:
            self.began = None
        elif self.request is not before:
            self.began = time.monotonic()
        return result

    def service(self):
        if self.server.stopping.is_set():
            self.requests[0].headers["CONNECTION"] = "close"
        super().service()


class _Server(TcpWSGIServer):
    channel_class = _Channel

    def __init__(self, application, sockets_map, listener, adjustments):
        self.stopping = threading.Event()
        super().__init__(
            application,
            sockets_map,
            _sock=listener,
            adj=adjustments,
            sockinfo=(listener.family, listener.type, listener.proto, None),
            bind_socket=False,
        )

    def handle_accept(self):
        before = -1
        while before < len(self.active_channels):  # All that wait.
            before = len(self.active_channels)
            super().handle_accept()

    def make_room(self, known: Iterable[_Channel]) -> None:
        """Closes those that are idle longest, if too many are open.

        Args:
            known: What was open before the last look. Others may have sent a
                request that is not read yet.
        """
        idle = [each for each in known if each.idle and each.connected]
        idle.sort(key=lambda channel: channel.last_activity)
        too_many = len(self.active_channels) - _MOST_OPEN
        for channel in idle[: max(0, too_many)]:
            channel.will_close = True

    def hang_up(self, known: Iterable[_Channel]) -> None:
        """Closes those whose request takes too long to arrive.

        Not in `maintenance`, which goes by the clock that people set.

        Args:
            known: What was open before the last look.
        """
        now = time.monotonic()
        for channel in known:
            # While another one is answered, nothing more is read.
            late = channel.idle and channel.began and now - channel.began
            if late and late > self.adj.channel_timeout:
                channel.will_close = True


class HttpServer:
    """Serves a WSGI application.

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
        max_bytes: int = 2**20,
    ):
        """Binds the port and starts.

        Args:
            application: What answers.
            host: Address to listen at.
            port: Port; 0 for a free one.
            timeout: Seconds that a request may take to arrive, and a client
                may be silent; whole ones, rounded up.
            flag: What names the port, for the message.
            max_bytes: Bodies of twice this size are refused before the
                application is asked.

        Raises:
            InputError: If the port is taken.
        """
        listener = listen(host, port, flag, _BACKLOG)
        # A queue is no news: it is what threads are for.
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self._sockets: dict = {}
        self._server = _Server(
            application,
            self._sockets,
            listener,
            Adjustments(
                ident="",
                # For a client that names no host.
                server_name=host,
                threads=_THREADS,
                backlog=_BACKLOG,
                # For a moment only: see `make_room`.
                connection_limit=2 * _MOST_OPEN,
                channel_timeout=math.ceil(timeout),
                cleanup_interval=1,
                # Twice: chunks count with their heads.
                max_request_body_size=2 * max_bytes,
                inbuf_overflow=2 * max_bytes,
                asyncore_use_poll=True,
            ),
        )
        self.port = listener.getsockname()[1]
        self._thread = threading.Thread(
            target=self._run, name="http", daemon=True
        )
        self._grace = 0.0
        self._thread.start()

    def stop(self, grace: float) -> None:
        """Takes no more requests and answers those that were sent.

        Args:
            grace: Most seconds to wait.
        """
        self._grace = grace
        self._server.stopping.set()
        self._server.pull_trigger()
        self._thread.join()

    def _run(self) -> None:
        while not self._server.stopping.is_set():
            known = list(self._server.active_channels.values())
            self._look(1.0)
            self._server.make_room(known)
            self._server.hang_up(known)
        self._server.handle_accept()
        wasyncore.dispatcher.close(self._server)  # The listener alone.
        self._answer_what_was_sent()
        self._server.task_dispatcher.shutdown(timeout=1)
        wasyncore.close_all(self._sockets)

    def _answer_what_was_sent(self) -> None:
        start = time.monotonic()
        idle_before = set()
        channels = self._server.active_channels
        while channels and time.monotonic() - start < self._grace:
            self._look(0.02)
            late = time.monotonic() - start > _REST_OF_A_REQUEST
            idle = {
                channel
                for channel in channels.values()
                if channel.idle and (late or channel.request is None)
            }
            # Twice: between the two all that had arrived was read.
            for channel in idle & idle_before:
                channel.will_close = True
            idle_before = idle

    def _look(self, seconds: float) -> None:
        """Reads and writes what can be, or waits for it."""
        wasyncore.loop(seconds, use_poll=True, map=self._sockets, count=1)
