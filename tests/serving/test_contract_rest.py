"""What every server of the exports does over REST; see conftest.py."""

import contextlib
import http.client
import json
import socket
import time

import numpy as np
import pytest

PREDICT = "/v1/models/toy:predict"
ROW = ["item 3", "item 5"]
BEST = ["item 7", "item 8", "item 9"]


def failed(server, status, method, path, body=None):
    """Returns the message of a request, which must fail with this status."""
    actual, answer = server.rest(method, path, body)
    assert actual == status, answer
    assert set(answer) == {"error"}
    assert "Traceback" not in answer["error"]
    return answer["error"]


def post(server, path=PREDICT, **body):
    """Returns the answer to a request, which must succeed."""
    status, answer = server.rest("POST", path, body)
    assert status == 200, answer
    return answer


def test_rows_are_answered_by_rows(server):
    for rows in ([ROW, ROW], [{"history": ROW}, {"history": ROW}]):
        answer = post(server, instances=rows)
        assert set(answer) == {"predictions"}
        assert len(answer["predictions"]) == 2
        for prediction in answer["predictions"]:
            assert prediction["items"] == BEST
            assert np.allclose(np.diff(prediction["scores"]), -1, atol=1e-5)


def test_columns_are_answered_by_columns(server):
    for columns in ([ROW], {"history": [ROW]}):
        answer = post(server, inputs=columns)
        assert set(answer) == {"outputs"}
        assert answer["outputs"]["items"] == [BEST]


def test_a_single_output_has_no_name(server):
    answer = post(server, instances=[ROW], signature_name="encode")
    assert answer == {"predictions": [[2.0, 2.0]]}
    answer = post(server, inputs=[ROW], signature_name="encode")
    assert answer == {"outputs": [[2.0, 2.0]]}


def test_several_inputs_are_named(server):
    rows = [{"history": ROW, "candidates": ["item 7", "item 8"]}]
    by_row = post(server, instances=rows, signature_name="score")
    columns = {"history": [ROW], "candidates": [["item 7", "item 8"]]}
    by_column = post(server, inputs=columns, signature_name="score")
    assert by_row["predictions"] == by_column["outputs"]
    rows = [{"history": ROW, "seed": [1, 2**62]}]
    answer = post(server, instances=rows, signature_name="sample")
    assert answer["predictions"][0]["items"] == BEST


def test_ids_may_be_any_text_or_bytes(server):
    answer = post(server, instances=[["größe 19"], ["商品 20"]])
    best = [p["items"][0] for p in answer["predictions"]]
    assert best == ["item 0", "item 1"]
    answer = post(server, instances=[["item 15"]])
    assert answer["predictions"][0]["items"][:2] == ["item 17", "größe 19"]
    answer = post(server, instances=[[{"b64": "aXRlbSAz"}]])  # "item 3"
    assert answer["predictions"][0]["items"][0] == "item 5"


def test_empty_histories_are_answered(server):
    assert len(post(server, instances=[[]])["predictions"]) == 1
    rows = post(server, instances=[{"history": []}] * 2)["predictions"]
    assert len(rows) == 2


def test_versions_and_labels_are_addressed(server):
    for path, version in (
        ("toy", 2.0),
        ("toy/versions/1", 1.0),
        ("toy/versions/2", 2.0),
        ("toy/labels/stable", 1.0),
        ("toy/labels/canary", 2.0),
    ):
        answer = post(
            server,
            f"/v1/models/{path}:predict",
            instances=[ROW],
            signature_name="encode",
        )
        assert answer["predictions"] == [[version, version]]


def test_status_has_every_version(server):
    status, answer = server.rest("GET", "/v1/models/toy")
    assert status == 200
    expected = [
        {
            "version": version,
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        }
        for version in ("2", "1")
    ]
    assert answer == {"model_version_status": expected}
    _, answer = server.rest("GET", "/v1/models/toy/versions/1")
    assert answer == {"model_version_status": expected[1:]}


def test_metadata_are_the_signatures(server):
    status, answer = server.rest("GET", "/v1/models/toy/versions/1/metadata")
    assert status == 200
    assert answer["model_spec"]["name"] == "toy"
    assert answer["model_spec"]["version"] == "1"
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    history = signatures["serving_default"]["inputs"]["history"]
    assert history["dtype"] == "DT_STRING"
    assert [d["size"] for d in history["tensor_shape"]["dim"]] == ["-1", "-1"]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[1, 2]",
        "null",
        b"\xff\xfe",
        '{"instances": [["a"]]',
        '{"instances": [["\\ud800"]]}',
        "[" * 100_000,
        '{"instances": ' + "[" * 900 + "]" * 900 + "}",
        {},
        {"instances": []},
        {"instances": "item 3"},
        {"instances": [["a"]], "inputs": [["a"]]},
        {"instances": [["a"]], "signature_name": 3},
        {"instances": [["a"]], "signature_name": "embed"},
        '{"instances": [["a"]], "signature_name": "\\ud800"}',
        {"instances": [["a"], ["a", "b"]]},
        {"instances": [["a"], [["b"]]]},
        {"instances": [["a"], {"history": ["b"]}]},
        {"instances": [{"history": ["a"]}, {"history": ["a", "b"]}]},
        {"instances": [{"history": ["a"], "user": 1}]},
        {"instances": [{"histories": ["a"]}]},
        {"instances": [{}]},
        {"instances": [[1]]},
        {"instances": [[None]]},
        {"instances": [[{"b64": "%%"}]]},
        {"instances": [[{"b65": "aa"}]]},
        {"inputs": {}},
        {"inputs": {"histories": [["a"]]}},
        {"inputs": {"history": [[1.5]]}},
        {"inputs": "a"},
        {"inputs": [["a"]], "signature_name": "sample"},
        {
            "inputs": {"history": [["a"]], "seed": [[1, 2**63]]},
            "signature_name": "sample",
        },
        {
            "inputs": {"history": [["a"]], "seed": [[1.5, 2]]},
            "signature_name": "sample",
        },
        {
            "inputs": {"history": [["a"]], "seed": [[True, 2]]},
            "signature_name": "sample",
        },
    ],
    ids=lambda body: (body if isinstance(body, str) else repr(body))[:60],
)
def test_a_body_that_is_wrong_is_400(server, body):
    assert failed(server, 400, "POST", PREDICT, body)


def test_what_there_is_not_is_named(server):
    body = {"instances": [ROW]}

    def message(status, path):
        return failed(server, status, "POST", f"/v1/models/{path}", body)

    assert "tony" in message(404, "tony:predict")
    assert "7" in message(404, "toy/versions/7:predict")
    assert "beta" in message(400, "toy/labels/beta:predict")
    failed(server, 404, "GET", "/v1/models/tony")
    failed(server, 404, "GET", "/v1/models/toy/versions/9")
    failed(server, 404, "GET", "/v1/models/tony/metadata")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/models/toy"),
        ("POST", "/v1/models/toy:explain"),
        ("POST", "/v1/models/toy/versions/one:predict"),
        ("GET", "/v1/models/toy:predict"),
        ("GET", "/v1/models/toy/weights"),
    ],
)
def test_a_malformed_request_is_400(server, method, path):
    message = failed(server, 400, method, path, {"instances": [ROW]})
    assert message == f"Malformed request: {method} {path}"


def test_prometheus_finds_its_metrics(server):
    server.rest("POST", PREDICT, {"instances": [ROW]})
    status, page = server.rest("GET", "/monitoring/prometheus/metrics")
    assert status == 200
    assert b':tensorflow:serving:request_count{model_name="toy"' in page
    assert b":tensorflow:serving:request_latency_bucket{" in page


def test_a_slow_client_delays_nobody(server):
    host, _, port = server.rest_address.rpartition(":")
    with socket.create_connection((host, int(port)), 10) as slow:
        slow.sendall(
            f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\n"
            "Content-Length: 1000\r\n\r\n{".encode()
        )
        start = time.perf_counter()
        assert server.rest("POST", PREDICT, {"instances": [ROW]})[0] == 200
        assert time.perf_counter() - start < 2


def test_a_silent_client_is_hung_up_on(own_server):
    """After the request timeout, 2 seconds here."""
    host, _, port = own_server.rest_address.rpartition(":")
    post = f"POST {PREDICT} HTTP/1.1\r\nContent-"
    with contextlib.ExitStack() as stack:
        clients = []
        for sent in ("", "POST /v1/mo", post, f"{post}Length: 9\r\n\r\n{{"):
            client = socket.create_connection((host, int(port)), 10)
            clients.append(stack.enter_context(client))
            client.sendall(sent.encode())
        for client in clients:
            received = client.makefile("rb").read()
            assert b"Traceback" not in received
            assert not received or received.startswith(b"HTTP/1.1 400")


def test_what_is_no_http_is_answered_in_json(own_server):
    host, _, port = own_server.rest_address.rpartition(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(b"one two three four HTTP/1.1\r\n\r\n")
        received = connection.makefile("rb").read()
    assert json.loads(received[received.index(b"{") :])["error"]


def test_limits_are_named(own_server):
    message = failed(
        own_server, 400, "POST", PREDICT, {"instances": [ROW] * 129}
    )
    assert "at most 128 rows. Received: 129" in message
    message = failed(
        own_server, 400, "POST", PREDICT, {"instances": [["a"] * 10_001]}
    )
    assert "at most 10000 columns" in message
    failed(own_server, 413, "POST", PREDICT, {"instances": [["a" * 5 * 2**20]]})


def test_limits_are_told_before_anything_is_converted(own_server):
    """And the shape is by the first row: the others need not be read."""
    rows = [["a"], *[[1]] * 300]
    message = failed(own_server, 400, "POST", PREDICT, {"instances": rows})
    assert "at most 128 rows. Received: 301" in message
    row = ["a", *[1] * 10_001]
    message = failed(own_server, 400, "POST", PREDICT, {"inputs": [row]})
    assert "at most 10000 columns. Received: 10002" in message


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "localhost:8501"}, 200),
        ({"Host": "[::1]:8501", "Origin": "http://[::1]:8501"}, 200),
        ({"Host": "127.0.0.1", "Origin": "http://localhost:1"}, 200),
        ({"Host": "rebound.example"}, 403),
        ({"Host": "127.0.0.1.rebound.example:8501"}, 403),
        ({"Origin": "http://rebound.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[::1"}, 403),
    ],
)
def test_pages_from_elsewhere_are_refused(own_server, headers, status):
    body = {"instances": [ROW]}
    found, answer = own_server.rest("POST", PREDICT, body, headers)
    assert found == status
    assert ("not of this machine" in answer.get("error", "")) == (status == 403)


def test_a_chunked_body_has_the_same_limit(own_server):
    body = json.dumps({"instances": [ROW]}).encode()
    for size, status in ((4 * 2**20, 200), (4 * 2**20 + 1, 413)):
        connection = http.client.HTTPConnection(
            own_server.rest_address, timeout=30
        )
        with contextlib.closing(connection):
            # Its length is not known before, so it goes in chunks.
            connection.request("POST", PREDICT, iter([body.ljust(size)]))
            assert connection.getresponse().status == status


def test_a_malformed_chunk_is_400_and_no_trace(own_server, capfd):
    host, port = own_server.rest_address.split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(
            f"POST {PREDICT} HTTP/1.1\r\nHost: {host}\r\n"
            "Transfer-Encoding: chunked\r\n\r\nnonsense\r\n\r\n".encode()
        )
        answer = connection.makefile("rb").read()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 400 " in head.splitlines()[0]
    assert "chunk" in json.loads(body)["error"]
    assert "Traceback" not in capfd.readouterr().err


def test_other_methods_are_501(own_server):
    failed(own_server, 501, "POST", "/v1/models/toy:classify", {})


def test_other_paths_are_404(own_server):
    failed(own_server, 404, "GET", "/")
