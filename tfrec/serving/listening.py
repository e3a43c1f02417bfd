"""Sockets that servers listen at."""

import socket

from tfrec.errors import InputError


def address(host: str, port: int) -> str:
    """Returns host:port, with the brackets that IPv6 needs."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listen(host: str, port: int, flag: str, backlog: int = 1) -> socket.socket:
    """Opens a socket to listen at.

    Args:
        host: Address to listen at.
        port: Port; 0 for a free one.
        flag: What names the port, for the message.
        backlog: Connections that may wait to be accepted.

    Raises:
        InputError: If the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server(
            (host, port), family=family, backlog=backlog
        )
    except OSError as error:
        raise InputError(
            f"Cannot listen at {address(host, port)}: {error.strerror}. Give "
            f"`{flag}` a free port and `--host` an address of this machine."
        ) from error
