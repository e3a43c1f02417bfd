"""The HTTP server itself, under an application that says what it got."""

import contextlib
import http.client
import json
import socket
import threading

import pytest

from tfrec.serving import http as http_module
from tfrec.serving.http import HttpServer

POST = b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n"


def application(environ, start_response):
    """Answers with the length of the body."""
    body = environ["wsgi.input"].read()
    if environ["PATH_INFO"] == "/bug":
        raise ZeroDivisionError("secret")
    answer = json.dumps(len(body)).encode()
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]


@pytest.fixture(scope="module")
def server():
    server = HttpServer(application, "127.0.0.1", 0, 1, "--port", 1000)
    yield server
    server.stop(1)


@pytest.fixture
def connect(server):
    """Opens connections, which are closed at the end."""
    with contextlib.ExitStack() as stack:

        def connect(to=server):
            address = ("127.0.0.1", to.port)
            return stack.enter_context(socket.create_connection(address, 30))

        yield connect


def received(connection):
    """Returns the status and the parsed body of the last answer."""
    with connection.makefile("rb") as file:
        head, _, body = file.read().partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def test_one_connection_has_many_requests(server):
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    with contextlib.closing(client):
        client.connect()
        first = client.sock
        for size in (0, 5, 900):
            client.request("POST", "/x", b"a" * size)
            assert json.load(client.getresponse()) == size
            assert client.sock is first


@pytest.mark.parametrize(
    "sent",
    [
        b"POST http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"one two three four HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n",
    ],
)
def test_what_is_no_http_is_answered_in_json(connect, sent):
    connection = connect()
    connection.sendall(sent)
    status, answer = received(connection)
    assert status == 400
    assert set(answer) == {"error"}


def test_a_body_that_is_too_large_is_read_away_and_refused(connect):
    size = 5 * 2**20
    connection = connect()
    connection.sendall(
        f"POST / HTTP/1.1\r\nContent-Length: {size}\r\n\r\n".encode()
    )
    connection.sendall(b"a" * size)
    assert received(connection)[0] == 413


def test_a_bug_is_answered_without_its_inside(connect, caplog):
    connection = connect()
    connection.sendall(b"GET /bug HTTP/1.1\r\nConnection: close\r\n\r\n")
    status, answer = received(connection)
    assert status == 500
    assert "secret" not in answer["error"]
    assert "secret" in caplog.text


def test_a_request_that_drips_in_is_hung_up_on(connect):
    """After a second, though it is never silent for so long."""
    connection = connect()
    connection.settimeout(0.1)
    hung_up = False
    for _ in range(300):
        try:
            connection.sendall(b"P")
            hung_up = connection.recv(1) == b""
        except TimeoutError:
            continue
        except OSError:
            hung_up = True
        if hung_up:
            break
    assert hung_up


def test_half_requests_hold_no_thread(connect, server):
    for _ in range(http_module._THREADS + 20):
        connect().sendall(POST[:30])
    connection = connect()
    connection.sendall(POST + b"ab")
    assert connection.recv(4) == b"HTTP"


def test_idle_connections_make_room(connect, monkeypatch):
    monkeypatch.setattr(http_module, "_MOST_OPEN", 5)
    server = HttpServer(application, "127.0.0.1", 0, 60, "--port")
    # More than waitress takes, be they one by one or all at once.
    idle = [connect(server) for _ in range(24)]
    for _ in range(3):
        connection = connect(server)
        connection.sendall(POST + b"ab")
        assert connection.recv(4) == b"HTTP"
    # The oldest have gone, long before they were silent for a minute.
    assert [each.recv(1) for each in idle[:19]] == [b""] * 19
    server.stop(1)


def test_what_was_sent_before_the_end_is_answered(connect):
    server = HttpServer(application, "127.0.0.1", 0, 60, "--port")
    used = connect(server)
    used.sendall(POST + b"ab")
    assert used.recv(4) == b"HTTP"
    clients = [connect(server) for _ in range(40)]
    half, *whole = clients
    half.sendall(POST + b"a")
    for client in whole:
        client.sendall(POST + b"ab")
    stopping = threading.Thread(target=server.stop, args=(30,))
    stopping.start()
    half.sendall(b"b")
    for client in clients:
        assert received(client) == (200, 2)
    stopping.join(30)
    with pytest.raises(OSError):
        connect(server)


def test_the_end_waits_no_longer_than_it_may(connect):
    server = HttpServer(application, "127.0.0.1", 0, 60, "--port")
    connect(server).sendall(POST)
    server.stop(0.1)
    with pytest.raises(OSError):
        connect(server)
