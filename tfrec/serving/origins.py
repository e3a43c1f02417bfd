"""Which pages of a browser may ask a server of this machine.

A server at a loopback address has no password: only this machine reaches it.
So does a page from elsewhere, in a browser that runs here: it sends requests
across, or has its own name lead to 127.0.0.1 and reads the answers.
"""

import ipaddress
import urllib.parse

from werkzeug.wrappers import Request


def is_loopback(host: str) -> bool:
    """Returns whether a name or address is one of this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_from_elsewhere(request: Request) -> bool:
    """Returns whether a page from elsewhere may have made a request.

    Browsers send the name by which they found the server, and with what may
    do harm the page that asks.
    """
    host = request.host.rpartition(":")[0] or request.host
    if not is_loopback(host.strip("[]")):
        return True
    origin = request.headers.get("Origin")
    if origin is None:
        return False
    try:
        return not is_loopback(urllib.parse.urlsplit(origin).hostname or "")
    except ValueError:
        return True


def elsewhere(request: Request) -> str:
    """Returns what to say of a request that is from elsewhere."""
    return (
        f"The host {request.host}, or the page that asks, is not of this "
        "machine."
    )
