"""The errors that clients see: a gRPC code, its HTTP status, one line."""

import contextlib
import logging
import re
from collections.abc import Iterator

import tensorflow as tf
from grpc import StatusCode

# As TensorFlow Serving maps them; every other code is 500.
_HTTP_STATUS = {
    StatusCode.INVALID_ARGUMENT: 400,
    StatusCode.FAILED_PRECONDITION: 400,
    StatusCode.OUT_OF_RANGE: 400,
    StatusCode.NOT_FOUND: 404,
    StatusCode.ABORTED: 409,
    StatusCode.RESOURCE_EXHAUSTED: 429,
    StatusCode.UNIMPLEMENTED: 501,
    StatusCode.UNAVAILABLE: 503,
    StatusCode.DEADLINE_EXCEEDED: 504,
}
_BY_NUMBER = {code.value[0]: code for code in StatusCode}
# gRPC sends messages in a header, whose size is limited.
_LONGEST = 1000
# "{{function_node __inference_x_1}} {{node y}} the message"
_NODES = re.compile(r"\{\{[^}]*\}\} ?")
# Lines that tell nothing.
_HEADINGS = ("Graph execution error:",)


class RequestError(Exception):
    """A request that cannot be answered, and what its client is told.

    Attributes:
        code: The gRPC code.
        message: One line.
    """

    def __init__(self, code: StatusCode, message: str):
        if len(message) > _LONGEST:
            message = message[: _LONGEST - 1] + "…"
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def http_status(self) -> int:
        """The HTTP status."""
        return _HTTP_STATUS.get(self.code, 500)


def invalid(message: str) -> RequestError:
    """Returns the error of a request that its client must mend."""
    return RequestError(StatusCode.INVALID_ARGUMENT, message)


def first_line(error: Exception) -> str:
    """Returns what an error says, without the graph's own names."""
    text = error.message if isinstance(error, tf.errors.OpError) else str(error)
    lines = [line.strip() for line in _NODES.sub("", text).splitlines()]
    told = [line for line in lines if line and line not in _HEADINGS]
    return told[0].partition(" [Op:")[0] if told else type(error).__name__


def from_tensorflow(error: tf.errors.OpError) -> RequestError:
    """Returns an error of the graph as its client is told it."""
    code = _BY_NUMBER.get(error.error_code, StatusCode.INTERNAL)
    return RequestError(code, first_line(error))


@contextlib.contextmanager
def nothing_else_raised() -> Iterator[None]:
    """Turns a bug of the server into an error that does not show its inside.

    Raises:
        RequestError: The one of the body, or INTERNAL.
    """
    try:
        yield
    except RequestError:
        raise
    except Exception:
        logging.getLogger(__name__).exception("A request met a bug:")
        raise RequestError(
            StatusCode.INTERNAL, "Internal error; the server's log has it."
        ) from None
