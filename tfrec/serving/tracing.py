"""Tracing what a server runs: plain operations, for any batch and length."""

from collections.abc import Callable

import tensorflow as tf

# Ops that not every TensorFlow Serving runs on every processor.
_NOT_PORTABLE = ("Xla", "PyFunc", "EagerPyFunc", "Cudnn", "Collective")


def trace(method: Callable, *inputs: tf.TensorSpec) -> Callable:
    """Traces a method for any batch and length.

    Raises:
        ValueError: If it holds an op that is not portable.
    """
    traced = tf.function(method, autograph=False).get_concrete_function(*inputs)
    graph = traced.graph.as_graph_def()
    nodes = [
        *graph.node,
        *(n for f in graph.library.function for n in f.node_def),
    ]
    for node in nodes:
        compiled = node.attr["_XlaMustCompile"].b
        if compiled or node.op.startswith(_NOT_PORTABLE):
            raise ValueError(
                f"`{method.__name__}` needs the op {node.op}, which TensorFlow "
                "Serving may not have. Export in a process without a GPU and "
                "without XLA: CUDA_VISIBLE_DEVICES= ."
            )
    return traced
