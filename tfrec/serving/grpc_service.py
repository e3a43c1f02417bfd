"""The gRPC services PredictionService and ModelService.

Predict, GetModelMetadata and GetModelStatus; gRPC itself answers every other
method with UNIMPLEMENTED.
"""

from collections.abc import Callable
from concurrent import futures

import grpc
from google.protobuf.message import DecodeError, Message
from tensorflow_serving.apis import (
    model_service_pb2,
    prediction_service_pb2,
)
from tensorflow_serving.apis.get_model_metadata_pb2 import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    SignatureDefMap,
)
from tensorflow_serving.apis.get_model_status_pb2 import (
    GetModelStatusRequest,
    GetModelStatusResponse,
)
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from tfrec.serving import tensors
from tfrec.serving.config import ServerConfig
from tfrec.serving.listening import address, listen
from tfrec.serving.models import Models
from tfrec.serving.predictor import Predictor
from tfrec.serving.statuses import RequestError, invalid, nothing_else_raised

# Calls in progress, most of them waiting for a batch.
_THREADS = 100
# Calls that may wait for a thread, too.
_MAX_CALLS = 1000


def _method(
    request_class: type[Message],
    answer: Callable[[Message, grpc.ServicerContext], Message],
) -> grpc.RpcMethodHandler:
    """Makes a method that aborts its call with the code of `RequestError`.

    It parses the request itself: gRPC would log a trace for every client that
    sends something else.
    """

    def handle(content: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            with nothing_else_raised():
                try:
                    request = request_class.FromString(content)
                except DecodeError:
                    raise invalid(
                        f"The message is no {request_class.DESCRIPTOR.name}."
                    ) from None
                return answer(request, context).SerializeToString()
        except RequestError as error:
            context.abort(error.code, error.message)

    return grpc.unary_unary_rpc_method_handler(handle)


class _Services:
    """The methods."""

    def __init__(
        self, models: Models, predictor: Predictor, limits: tensors.Limits
    ):
        self._models = models
        self._predictor = predictor
        self._limits = limits

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        """Returns what a gRPC server calls."""
        services = {
            prediction_service_pb2: {
                "Predict": _method(PredictRequest, self.predict),
                "GetModelMetadata": _method(
                    GetModelMetadataRequest, self.metadata
                ),
            },
            model_service_pb2: {
                "GetModelStatus": _method(GetModelStatusRequest, self.status)
            },
        }
        return [
            grpc.method_handlers_generic_handler(service.full_name, methods)
            for file, methods in services.items()
            for service in file.DESCRIPTOR.services_by_name.values()
        ]

    def predict(
        self, request: PredictRequest, context: grpc.ServicerContext
    ) -> PredictResponse:
        spec, outputs = self._predictor.predict(
            request.model_spec,
            lambda signature: tensors.from_protos(
                request.inputs, signature, self._limits
            ),
            "GRPC",
            request.output_filter,
            context,
        )
        response = PredictResponse(model_spec=spec)
        for name, array in outputs.items():
            response.outputs[name].CopyFrom(tensors.to_proto(array))
        return response

    def metadata(
        self, request: GetModelMetadataRequest, context: grpc.ServicerContext
    ) -> GetModelMetadataResponse:
        if not request.metadata_field:
            raise invalid(
                "GetModelMetadataRequest must specify at least one "
                "metadata_field"
            )
        for field in request.metadata_field:
            if field != "signature_def":
                raise invalid(f"Metadata field {field} is not supported")
        return model_metadata(self._models, request.model_spec)

    def status(
        self, request: GetModelStatusRequest, context: grpc.ServicerContext
    ) -> GetModelStatusResponse:
        return GetModelStatusResponse(
            model_version_status=self._models.status(request.model_spec)
        )


def model_metadata(models: Models, spec: ModelSpec) -> GetModelMetadataResponse:
    """Returns the signatures of a version.

    Raises:
        RequestError: If there is none.
    """
    response = GetModelMetadataResponse()
    with models.use(spec) as servable:
        response.model_spec.name = servable.name
        response.model_spec.version.value = servable.version
        response.metadata["signature_def"].Pack(
            SignatureDefMap(signature_def=servable.signature_defs)
        )
    return response


class GrpcServer:
    """Listens for gRPC.

    Attributes:
        port: The port it listens at.
    """

    def __init__(
        self, models: Models, predictor: Predictor, config: ServerConfig
    ):
        """Binds the port and starts.

        Raises:
            InputError: If the port is taken.
        """
        self._server = grpc.server(
            futures.ThreadPoolExecutor(_THREADS, "grpc"),
            options=[
                ("grpc.max_receive_message_length", config.max_request_bytes),
                ("grpc.max_send_message_length", -1),
                # Or a second server would take half of the calls.
                ("grpc.so_reuseport", 0),
            ],
            maximum_concurrent_rpcs=_MAX_CALLS,
        )
        limits = tensors.Limits(
            config.max_batch_size, config.max_request_length
        )
        services = _Services(models, predictor, limits)
        self._server.add_generic_rpc_handlers(services.handlers())
        # gRPC itself would write lines of its own about a port that is taken.
        listen(config.host, config.grpc_port, "--grpc_port").close()
        self.port = self._server.add_insecure_port(
            address(config.host, config.grpc_port)
        )
        self._server.start()

    def stop(self, grace: float) -> None:
        """Takes no more calls and waits for those in progress.

        Args:
            grace: Most seconds to wait.
        """
        self._server.stop(grace).wait()
