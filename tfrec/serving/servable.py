"""One loaded version of a model: a SavedModel in a session of its own.

A session, not `tf.saved_model.load`: it runs the graph and the signatures just
as TensorFlow Serving does, names every tensor as the metadata do, and gives
its memory back when it is closed.
"""

import contextlib
import logging
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from grpc import StatusCode
from tensorflow.core.protobuf.config_pb2 import CallableOptions
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from tfrec.errors import InputError
from tfrec.serving import tensors
from tfrec.serving.checksums import check_checksums
from tfrec.serving.statuses import RequestError, from_tensorflow, invalid
from tfrec.serving.usage import Usage

DEFAULT_SIGNATURE = "serving_default"
FOR_USER = "for_user"
# Scores that are held at once, 64 MB, and rows.
_MOST_SCORES = 2**24
_MOST_ROWS = 256
# What TensorFlow and we raise for a folder that is no whole SavedModel.
_NOT_LOADED = (
    *(OSError, ValueError, RuntimeError),
    *(tf.errors.OpError, RequestError),
)
_PREDICT = "tensorflow/serving/predict"
_WARM_UP = "assets.extra/tf_serving_warmup_requests"


class Servable:
    """A version that answers.

    Attributes:
        name: The model's name.
        version: Its version.
        signature_defs: Every signature of the SavedModel by name.
        usage: Who uses it now; it is closed after them.
    """

    def __init__(self, name: str, version: int, path: Path):
        """Checks a version, loads it and replays its warm-up requests.

        Args:
            name: The model's name.
            version: Its version.
            path: Folder of the SavedModel.

        Raises:
            Exception: Whatever TensorFlow raises for a folder that it cannot
                load, `InputError` for one that is not what was exported, and
                `RequestError` for a warm-up request that fails.
        """
        check_checksums(path)
        self.name = name
        self.version = version
        self.usage = Usage()
        options = tf.compat.v1.ConfigProto()
        options.gpu_options.allow_growth = True  # Leave room for training.
        self._session = tf.compat.v1.Session(graph=tf.Graph(), config=options)
        try:
            with self._session.graph.as_default(), _no_deprecations():
                loaded = tf.compat.v1.saved_model.load(
                    self._session, [tf.saved_model.SERVING], str(path)
                )
            self.signature_defs = dict(loaded.signature_def)
            self._functions = {}
            self._lock = threading.Lock()
            self._warm_up(path / _WARM_UP)
        except BaseException:
            self._session.close()
            raise

    def signature(self, name: str) -> SignatureDef:
        """Returns a signature; the default one for an empty name.

        Raises:
            RequestError: If there is none of that name.
        """
        name = name or DEFAULT_SIGNATURE
        signature = self.signature_defs.get(name)
        if signature is None or signature.method_name != _PREDICT:
            raise RequestError(
                StatusCode.FAILED_PRECONDITION,
                f'Serving signature key "{name}" not found.',
            )
        return signature

    def run(
        self,
        signature: SignatureDef,
        inputs: Mapping[str, np.ndarray],
        outputs: Iterable[str],
    ) -> dict[str, np.ndarray]:
        """Runs a signature.

        Args:
            signature: One of this version.
            inputs: An array for each of its inputs.
            outputs: Names of the outputs to compute.

        Returns:
            The outputs by name.

        Raises:
            RequestError: What the graph says against the inputs.
        """
        names = sorted(signature.inputs)
        outputs = sorted(outputs)
        function = self._function(
            tuple(signature.inputs[name].name for name in names),
            tuple(signature.outputs[name].name for name in outputs),
        )
        feeds = []
        for name in names:
            dtype = tf.dtypes.as_dtype(signature.inputs[name].dtype)
            feeds.append(np.asarray(inputs[name], dtype.as_numpy_dtype))
        try:
            with self.usage:
                results = function(*feeds)
        except tf.errors.OpError as error:
            raise from_tensorflow(error) from error
        return dict(zip(outputs, results, strict=True))

    def recommending(self) -> SignatureDef:
        """Returns the signature that recommends, to its user if it can."""
        there = FOR_USER in self.signature_defs
        return self.signature(FOR_USER if there else DEFAULT_SIGNATURE)

    def close(self) -> None:
        """Waits for those who use it and frees its memory."""
        self.usage.wait_until_unused()
        self._session.close()

    def _function(self, feeds: tuple[str, ...], fetches: tuple[str, ...]):
        with self._lock:
            if (feeds, fetches) not in self._functions:
                options = CallableOptions(feed=feeds, fetch=fetches)
                # In the calling thread: it would only wait for another one.
                # Large products are spread over the cores all the same.
                options.run_options.inter_op_thread_pool = -1
                # Without the public `make_callable`, which has no such option
                # and takes 0.3 ms longer, as long as a small product.
                self._functions[feeds, fetches] = (
                    self._session._make_callable_from_options(options)
                )
            return self._functions[feeds, fetches]

    def _warm_up(self, path: Path) -> None:
        if not path.exists():
            return
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            log = PredictionLog.FromString(record)
            if not log.HasField("predict_log"):
                raise invalid(f"{path} has a record without predict_log.")
            request = log.predict_log.request
            signature = self.signature(request.model_spec.signature_name)
            inputs = tensors.from_protos(
                request.inputs, signature, tensors.Limits()
            )
            self.run(signature, inputs, signature.outputs)


def list_length(signature: SignatureDef) -> int:
    """Returns how many items the lists of a signature have at most."""
    return signature.outputs["items"].tensor_shape.dim[1].size


def rows_at_once(num_items: int) -> int:
    """Returns how many rows of scores fit into memory."""
    return min(_MOST_ROWS, max(1, _MOST_SCORES // num_items))


def load_version(path: Path) -> Servable:
    """Loads a version whose number nobody asks for.

    Raises:
        InputError: If it cannot be loaded, or was changed.
    """
    try:
        return Servable(path.parent.name, 0, path)
    except _NOT_LOADED as error:
        raise InputError(f"{path} cannot be loaded: {error}.") from error


@contextlib.contextmanager
def _no_deprecations() -> Iterator[None]:
    """Keeps the advice to use `tf.saved_model.load` from the terminal."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
