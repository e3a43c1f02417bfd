"""Predict requests and responses in JSON, rows and columns."""

import base64
import binascii
import itertools
import reprlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef, TensorInfo

from tfrec.serving.statuses import invalid
from tfrec.serving.tensors import Limits, check_names, check_shapes

# What JSON calls the values of a type.
_KINDS = {
    tf.string: (str,),
    tf.bool: (bool,),
    tf.float32: (int, float),
    tf.float64: (int, float),
    tf.int32: (int,),
    tf.int64: (int,),
}


class PredictBody:
    """The body of a predict request.

    Attributes:
        signature_name: The signature that it asks, empty for the default.
        by_row: Whether it has `instances`, not `inputs`.
    """

    def __init__(self, body: bytes):
        """Parses a body.

        Raises:
            RequestError: If it is no JSON or not of the form that TensorFlow
                Serving takes.
        """
        try:
            parsed = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            reason = str(error) if body else "The document is empty"
            raise invalid(f"JSON Parse error: {reason}") from None
        if not isinstance(parsed, dict):
            raise invalid("The request must be a JSON object.")
        self.signature_name = parsed.get("signature_name", "")
        if not isinstance(self.signature_name, str):
            raise invalid("'signature_name' key must be a string value.")
        forms = {"instances", "inputs"} & set(parsed)
        if len(forms) != 1:
            raise invalid(
                "Expecting exactly one of 'inputs' or 'instances'. Received: "
                f"{' and '.join(sorted(forms)) or 'neither'}."
            )
        self.by_row = "instances" in forms
        self._value = parsed[forms.pop()]
        if self.by_row and not (isinstance(self._value, list) and self._value):
            raise invalid("'instances' must be a list with at least one value.")

    def arrays(
        self, signature: SignatureDef, limits: Limits
    ) -> dict[str, np.ndarray]:
        """Makes the inputs of a signature.

        Args:
            signature: What they are for.
            limits: The largest that are taken; told before any is converted.

        Raises:
            RequestError: If they do not fit it or exceed the limits.
        """
        columns = self._rows(signature) if self.by_row else self._columns()
        if columns is None:  # The only input, without its name.
            columns = {_only_input(signature): self._value}
        check_names(columns, signature)
        shapes = {
            name: _shape(name, value, signature.inputs[name])
            for name, value in columns.items()
        }
        check_shapes(shapes, signature, limits)
        return {
            name: _array(name, value, shapes[name], signature.inputs[name])
            for name, value in columns.items()
        }

    def _columns(self) -> Mapping[str, Any] | None:
        named = isinstance(self._value, dict) and not _is_bytes(self._value)
        return self._value if named else None

    def _rows(self, signature: SignatureDef) -> Mapping[str, list] | None:
        named = [isinstance(r, dict) and not _is_bytes(r) for r in self._value]
        if not any(named):
            return None
        if not all(named):
            raise invalid("'instances' must be all objects or all values.")
        for number, row in enumerate(self._value):
            if set(row) != set(signature.inputs):
                raise invalid(
                    f"Failed to process element: {number} of 'instances' "
                    f"list. Its keys must be equal to: "
                    f"{','.join(sorted(signature.inputs))}. Received: "
                    f"{','.join(sorted(row))}."
                )
        return {
            name: [row[name] for row in self._value]
            for name in signature.inputs
        }


def _only_input(signature: SignatureDef) -> str:
    if len(signature.inputs) != 1:
        raise invalid(
            "Values need names, for the signature has several inputs: "
            f"{', '.join(sorted(signature.inputs))}."
        )
    return next(iter(signature.inputs))


def _is_bytes(value: dict) -> bool:
    """Returns whether an object stands for bytes: {"b64": "…"}."""
    return set(value) == {"b64"} and isinstance(value["b64"], str)


def _shape(name: str, value: Any, info: TensorInfo) -> list[int]:
    """Returns the shape of nested lists, by the first of each."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    rank = len(info.tensor_shape.dim)
    if len(shape) != rank:
        raise invalid(
            f"Input '{name}' must be {rank} lists deep. Received: {len(shape)}."
        )
    return shape


def _array(
    name: str, value: Any, shape: list[int], info: TensorInfo
) -> np.ndarray:
    """Makes a dense array of nested lists."""
    dtype = tf.dtypes.as_dtype(info.dtype)
    if dtype not in _KINDS:
        raise invalid(f"JSON has no values of the type {dtype.name}.")
    try:
        leaves = _leaves(value, shape)
        if dtype == tf.string and set(map(type, leaves)) == {str}:
            leaves = [leaf.encode("utf-8") for leaf in leaves]
        else:
            leaves = [_leaf(leaf, dtype) for leaf in leaves]
        array = np.array(leaves, dtype.as_numpy_dtype)
    except (ValueError, OverflowError) as error:
        raise invalid(f"Input '{name}': {error}") from None
    return array.reshape(shape)


def _leaves(value: Any, shape: list[int]) -> list[Any]:
    """Returns the values of nested lists, which must have this shape."""
    level = [value]
    for size in shape:
        if not all(type(each) is list and len(each) == size for each in level):
            raise ValueError(
                "its lists must be equally long and deep, so pad the shorter "
                "ones."
            )
        level = list(itertools.chain.from_iterable(level))
    if any(type(each) is list for each in level):
        raise ValueError("a list stands where values are expected.")
    return level


def _leaf(value: Any, dtype: tf.DType) -> Any:
    if dtype == tf.string and isinstance(value, dict) and _is_bytes(value):
        try:
            return base64.b64decode(value["b64"], validate=True)
        except binascii.Error:
            raise ValueError("a value of 'b64' is no base64.") from None
    if type(value) not in _KINDS[dtype]:
        raise ValueError(
            f"JSON Value: {reprlib.repr(value)} is not of expected type: "
            f"{dtype.name}"
        )
    return value.encode("utf-8") if dtype == tf.string else value


def response_body(outputs: Mapping[str, np.ndarray], by_row: bool) -> bytes:
    """Writes the answer to a request of the same form.

    A number that is not finite, which JSON does not have, is null.

    Raises:
        RequestError: If rows are asked of outputs that have no common rows.
    """
    values = {name: _listed(name, outputs[name]) for name in sorted(outputs)}
    single = next(iter(values.values())) if len(values) == 1 else None
    if not by_row:
        answer = {"outputs": values if single is None else single}
    else:
        rows = {array.shape[:1] for array in outputs.values()}
        if len(rows) != 1 or rows == {()}:
            raise invalid("The outputs have no rows; use 'inputs' instead.")
        if single is None:
            single = [
                dict(zip(values, row, strict=True))
                for row in zip(*values.values(), strict=True)
            ]
        answer = {"predictions": single}
    # float32 as the shortest number that is the same float32.
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)


def _listed(name: str, array: np.ndarray) -> Any:
    """Returns an array as what is written as nested lists."""
    if array.dtype != object:
        return np.ascontiguousarray(array) if array.ndim else array[()]
    # TensorFlow Serving's rule for bytes that are no text.
    convert = _b64 if name.endswith("_bytes") else _text
    leaves = np.empty(array.size, object)
    leaves[:] = [convert(value) for value in array.ravel()]
    return leaves.reshape(array.shape).tolist()


def _b64(value: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(value).decode("ascii")}


def _text(value: bytes) -> str:
    return value.decode("utf-8", errors="replace")
