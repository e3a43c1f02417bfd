import logging

import pytest
import tensorflow as tf
from grpc import StatusCode

from tfrec.serving.statuses import (
    RequestError,
    first_line,
    from_tensorflow,
    invalid,
    nothing_else_raised,
)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (StatusCode.INVALID_ARGUMENT, 400),
        (StatusCode.FAILED_PRECONDITION, 400),
        (StatusCode.OUT_OF_RANGE, 400),
        (StatusCode.NOT_FOUND, 404),
        (StatusCode.ABORTED, 409),
        (StatusCode.RESOURCE_EXHAUSTED, 429),
        (StatusCode.INTERNAL, 500),
        (StatusCode.UNKNOWN, 500),
        (StatusCode.UNIMPLEMENTED, 501),
        (StatusCode.UNAVAILABLE, 503),
        (StatusCode.DEADLINE_EXCEEDED, 504),
    ],
)
def test_codes_have_the_http_status_of_tensorflow_serving(code, status):
    assert RequestError(code, "").http_status == status


def test_an_error_of_the_graph_is_one_line_without_nodes():
    message = (
        "{{function_node __inference_recommend_12}} {{node Assert}} rows "
        "differ\n\t [[{{node Assert}}]]"
    )
    error = from_tensorflow(tf.errors.InvalidArgumentError(None, None, message))
    assert error.code == StatusCode.INVALID_ARGUMENT
    assert error.message == "rows differ"


def test_a_heading_that_tells_nothing_is_left_out():
    message = "Graph execution error:\n\nno table\n\t [[{{node Init}}]]"
    error = from_tensorflow(tf.errors.NotFoundError(None, None, message))
    assert error.message == "no table"
    assert first_line(ValueError("")) == "ValueError"


def test_a_long_message_is_cut():
    assert len(invalid("x" * 5000).message) == 1000


def test_a_bug_is_logged_and_not_shown(caplog):
    with (
        caplog.at_level(logging.ERROR),
        pytest.raises(RequestError) as error,
        nothing_else_raised(),
    ):
        raise ZeroDivisionError("secret")
    assert error.value.code == StatusCode.INTERNAL
    assert "secret" not in error.value.message
    assert "secret" in caplog.text
