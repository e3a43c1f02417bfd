"""Answers requests, over whichever wire they came."""

import concurrent.futures
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from grpc import RpcContext, StatusCode
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis.model_pb2 import ModelSpec

from tfrec.serving.batching import Batcher
from tfrec.serving.models import Models
from tfrec.serving.monitoring import Monitoring
from tfrec.serving.request_log import RequestLogs
from tfrec.serving.servable import DEFAULT_SIGNATURE, Servable
from tfrec.serving.statuses import RequestError, invalid


class Predictor:
    """Predict, the same for gRPC and REST."""

    def __init__(
        self,
        models: Models,
        batcher: Batcher,
        monitoring: Monitoring,
        timeout: float,
        logs: RequestLogs,
    ):
        """Takes its parts.

        Args:
            models: What is served.
            batcher: What runs it.
            monitoring: What counts it.
            timeout: Most seconds that a request may take.
            logs: What keeps a sample of it.
        """
        self._models = models
        self._batcher = batcher
        self._monitoring = monitoring
        self._timeout = timeout
        self._logs = logs

    def predict(
        self,
        spec: ModelSpec,
        decode: Callable[[SignatureDef], Mapping[str, np.ndarray]],
        entrypoint: str,
        output_filter: Sequence[str] = (),
        call: RpcContext | None = None,
    ) -> tuple[ModelSpec, dict[str, np.ndarray]]:
        """Runs a signature.

        Args:
            spec: The model, version or label, and signature that are asked.
            decode: Makes the inputs, once the signature is known.
            entrypoint: "GRPC" or "REST".
            output_filter: The outputs that are wanted. Empty: all.
            call: Says how long the client waits, and whether it still does.
                None: it waits for the answer.

        Returns:
            The model, version and signature that answered, and the outputs
            by name.

        Raises:
            RequestError: Whatever is to be said to the client.
        """
        start = time.perf_counter()
        model, code = "", StatusCode.INTERNAL
        try:
            with self._models.use(spec) as servable:
                # Only now: names that clients invent are not kept.
                model = servable.name
                # What nobody waits for any more is not even decoded.
                seconds = self._seconds(call)
                signature = servable.signature(spec.signature_name)
                inputs = decode(signature)
                wanted = _wanted(output_filter, signature)
                outputs = self._run(
                    servable, signature, inputs, wanted, seconds, call
                )
                answered = ModelSpec(
                    name=servable.name,
                    signature_name=spec.signature_name or DEFAULT_SIGNATURE,
                )
                answered.version.value = servable.version
            code = StatusCode.OK
            self._logs.record(spec, answered, inputs, output_filter, outputs)
            return answered, outputs
        except RequestError as error:
            code = error.code
            raise
        finally:
            self._monitoring.observe(
                model, entrypoint, code, time.perf_counter() - start
            )

    def _seconds(self, call: RpcContext | None) -> float:
        """Returns how long an answer is worth something, more than none.

        Raises:
            RequestError: If the client no longer waits.
        """
        seconds = self._timeout
        if call is not None:
            if not call.is_active():
                raise _left()
            remaining = call.time_remaining()
            if remaining is not None:
                seconds = min(seconds, remaining)
            if seconds <= 0:
                raise _late(0)
        return seconds

    def _run(
        self,
        servable: Servable,
        signature: SignatureDef,
        inputs: Mapping[str, np.ndarray],
        outputs: frozenset[str],
        seconds: float,
        call: RpcContext | None,
    ) -> dict[str, np.ndarray]:
        start = time.perf_counter()
        with self._batcher.alone() as alone:
            if alone:
                results = servable.run(signature, inputs, outputs)
                if time.perf_counter() - start > seconds:
                    raise _late(seconds)
                return results
        future = self._batcher.submit(servable, signature, inputs, outputs)
        # Called at the end of the call, be it that the client has left.
        if call is not None and not call.add_callback(future.cancel):
            future.cancel()
        try:
            return future.result(seconds)
        except concurrent.futures.CancelledError:
            raise _left() from None
        except concurrent.futures.TimeoutError:
            future.cancel()  # One that already runs goes on unheard.
            raise _late(seconds) from None


def _late(seconds: float) -> RequestError:
    return RequestError(
        StatusCode.DEADLINE_EXCEEDED,
        f"The request took longer than {seconds:.3g} seconds.",
    )


def _left() -> RequestError:
    return RequestError(StatusCode.CANCELLED, "The client has left.")


def _wanted(names: Sequence[str], signature: SignatureDef) -> frozenset[str]:
    for name in names:
        if name not in signature.outputs:
            raise invalid(
                f"output tensor alias not found in signature: {name} Outputs "
                "expected to be in the set "
                f"{{{','.join(sorted(signature.outputs))}}}."
            )
    if len(set(names)) < len(names):
        raise invalid("duplicate output tensor alias in output_filter.")
    return frozenset(names or signature.outputs)
