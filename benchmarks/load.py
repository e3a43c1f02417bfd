"""Clients of a server, in a process of their own; benchmarks.serving starts it.

    python -m benchmarks.load grpc 127.0.0.1:8500 PATH 8 5 < requests.json

Reads a JSON list of requests, as they go over the wire, in hex. So many clients
ask for so many seconds, each the next request once it has its answer. Prints
latencies and rate as a JSON object. It imports no TensorFlow and decodes no
answer, so that what is measured is the server.
"""

import http.client
import json
import sys
import threading
import time
from collections.abc import Callable

import grpc

# Seconds after which a server that does not answer ends the measurement.
_PATIENCE = 60


def grpc_client(address: str, path: str) -> Callable[[bytes], None]:
    """Returns a client with a connection of its own."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    method = grpc.insecure_channel(address, options).unary_unary(path)
    return lambda request: method(request, _PATIENCE)


def rest_client(
    address: str, path: str, keep: bool = False
) -> Callable[[bytes], bytes]:
    """Returns a client, which returns the answers.

    Args:
        address: host:port.
        path: What is asked.
        keep: Ask all over one connection, or connect for each request.
    """
    connection = http.client.HTTPConnection(address, timeout=_PATIENCE)

    def ask(request: bytes) -> bytes:
        connection.request("POST", path, request)  # Connects where it must.
        response = connection.getresponse()
        content = response.read()
        if not keep:
            connection.close()
        if response.status != 200:
            raise RuntimeError(content)
        return content

    return ask


def measure(
    make_client: Callable[[], Callable[[bytes], object]],
    requests: list[bytes],
    clients: int,
    seconds: float,
) -> dict[str, float]:
    """Returns `p50` and `p99`, in seconds, and `rate`, requests per second."""
    latencies = []
    ready = threading.Barrier(clients + 1, timeout=_PATIENCE)
    end = []

    def work(number: int) -> None:
        ask, own = make_client(), []
        ask(requests[number % len(requests)])  # Connects.
        ready.wait()
        ready.wait()
        while (start := time.perf_counter()) < end[0]:
            number += clients
            ask(requests[number % len(requests)])
            own.append(time.perf_counter() - start)
        latencies.extend(own)

    threads = [
        threading.Thread(target=work, args=(client,), daemon=True)
        for client in range(clients)
    ]
    for thread in threads:
        thread.start()
    ready.wait()
    begin = time.perf_counter()
    end.append(begin + seconds)
    ready.wait()
    for thread in threads:
        thread.join()
    rate = len(latencies) / (time.perf_counter() - begin)
    latencies.sort()
    return {
        "p50": latencies[len(latencies) // 2],
        "p99": latencies[len(latencies) * 99 // 100],
        "rate": rate,
    }


def main() -> None:
    """Asks as the arguments say and prints."""
    wire, address, path, clients, seconds = sys.argv[1:]
    requests = [bytes.fromhex(text) for text in json.load(sys.stdin)]
    client = {"grpc": grpc_client, "rest": rest_client}[wire]
    measured = measure(
        lambda: client(address, path), requests, int(clients), float(seconds)
    )
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
