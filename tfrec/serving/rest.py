"""The REST interface: a WSGI application."""

import json
import re
from typing import Any

from google.protobuf import json_format
from grpc import StatusCode
from prometheus_client import CONTENT_TYPE_LATEST
from tensorflow_serving.apis.get_model_metadata_pb2 import SignatureDefMap
from tensorflow_serving.apis.get_model_status_pb2 import (
    GetModelStatusResponse,
)
from tensorflow_serving.apis.model_pb2 import ModelSpec
from werkzeug.wrappers import Request, Response

from tfrec.serving import monitoring, tensors
from tfrec.serving.config import ServerConfig
from tfrec.serving.grpc_service import model_metadata
from tfrec.serving.models import Models
from tfrec.serving.origins import elsewhere, is_from_elsewhere, is_loopback
from tfrec.serving.predictor import Predictor
from tfrec.serving.rest_json import PredictBody, response_body
from tfrec.serving.statuses import RequestError, invalid, nothing_else_raised

_MODEL = (
    r"/v1/models/(?P<name>[^/:]+)"
    r"(?:/versions/(?P<version>[0-9]{1,18})|/labels/(?P<label>[^/:]+))?"
)
_POST = re.compile(rf"{_MODEL}:(?P<method>predict|classify|regress)")
_GET = re.compile(rf"{_MODEL}(?P<metadata>/metadata)?")


class RestApplication:
    """Answers HTTP requests as TensorFlow Serving does."""

    def __init__(
        self,
        models: Models,
        predictor: Predictor,
        metrics: monitoring.Monitoring,
        config: ServerConfig,
    ):
        self._models = models
        self._predictor = predictor
        self._metrics = metrics
        self._only_loopback = is_loopback(config.host)
        self._max_bytes = config.max_request_bytes
        self._limits = tensors.Limits(
            config.max_batch_size, config.max_request_length
        )

    def __call__(self, environ, start_response):
        """Answers one request: the WSGI interface."""
        try:
            with nothing_else_raised():
                response = self._answer(Request(environ))
        except RequestError as error:
            response = _error(error.http_status, error.message)
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if self._only_loopback and is_from_elsewhere(request):
            return _error(403, elsewhere(request))
        if request.method == "GET" and request.path == monitoring.PATH:
            return Response(
                self._metrics.text(), content_type=CONTENT_TYPE_LATEST
            )
        if not request.path.startswith("/v1/"):
            return _error(404, f"Not found: {request.path}")
        pattern = {"GET": _GET, "POST": _POST}.get(request.method)
        match = pattern and pattern.fullmatch(request.path)
        if not match:
            raise invalid(f"Malformed request: {request.method} {request.path}")
        spec = ModelSpec(name=match["name"])
        if match["version"]:
            spec.version.value = int(match["version"])
        if match["label"]:
            spec.version_label = match["label"]
        if request.method == "GET":
            return (
                self._metadata(spec)
                if match["metadata"]
                else (self._status(spec))
            )
        if match["method"] != "predict":
            raise RequestError(
                StatusCode.UNIMPLEMENTED,
                f"{match['method']} is not served here, predict is.",
            )
        body = request.get_data(cache=False)
        if len(body) > self._max_bytes:
            return _error(
                413, f"The request has more than {self._max_bytes} bytes."
            )
        return self._predict(spec, PredictBody(body))

    def _predict(self, spec: ModelSpec, body: PredictBody) -> Response:
        spec.signature_name = body.signature_name
        _, outputs = self._predictor.predict(
            spec,
            lambda signature: body.arrays(signature, self._limits),
            "REST",
        )
        return Response(
            response_body(outputs, body.by_row),
            content_type="application/json",
        )

    def _status(self, spec: ModelSpec) -> Response:
        statuses = self._models.status(spec)
        return _json(
            _plain(GetModelStatusResponse(model_version_status=statuses))
        )

    def _metadata(self, spec: ModelSpec) -> Response:
        metadata = model_metadata(self._models, spec)
        signatures = SignatureDefMap()
        metadata.metadata["signature_def"].Unpack(signatures)
        return _json(
            {
                "model_spec": _plain(metadata.model_spec),
                "metadata": {"signature_def": _plain(signatures)},
            }
        )


def _plain(message) -> dict[str, Any]:
    return json_format.MessageToDict(
        message,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
    )


def _json(value: Any, status: int = 200) -> Response:
    return Response(
        json.dumps(value, indent=1),
        status=status,
        content_type="application/json",
    )


def _error(status: int, message: str) -> Response:
    return _json({"error": message}, status)
