"""Latency and throughput of the local server, beside the bare arithmetic.

    python -m benchmarks.serving
    python -m benchmarks.serving --items=3533 --seconds=2

Exports ACVAE with random weights for catalogues of several sizes and serves it
from this process with `tfrec.serving`; the clients are a process of their own
on the same machine. They ask for the 10 best items that are not in the history.

`bare` is what no server can avoid: for one row, the product of the decoder's
128 units with the table of all items, and the 10 best, in TensorFlow in the
same process. `graph` is the served graph without a server: strings to items,
the encoder and the softmax too. `server` is the median latency less the graph's
time, `over` the median less bare, `times` the median divided by bare.
"""

from tfrec import cli, settings

# isort: split
import contextlib
import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from tfrec.models import ACVAE
from tfrec.serving.config import ServerConfig
from tfrec.serving.server import Server
from tfrec.serving.signatures import Signatures
from tfrec.settings import Settings, setting

_K = 10
_REQUESTS = 200
_PATHS = {
    "grpc": "/tensorflow.serving.PredictionService/Predict",
    "rest": "/v1/models/acvae:predict",
}


@dataclasses.dataclass(frozen=True)
class ServingBenchmarkConfig(Settings):
    """What is measured."""

    items: tuple[int, ...] = setting(
        (3533, 30_000, 1_000_000), "Sizes of the catalogue.", minimum=100
    )
    clients: tuple[int, ...] = setting(
        (1, 8, 64), "Numbers of clients that ask at a time.", minimum=1
    )
    length: int = setting(50, "Items in a history.", minimum=1)
    seconds: float = setting(5.0, "Seconds for each measurement.", above=0)
    threads: int = setting(2, "Threads that TensorFlow may use.", minimum=1)


def main() -> None:
    """Measures and prints."""
    config = settings.from_flags(ServingBenchmarkConfig)
    tf.config.threading.set_intra_op_parallelism_threads(config.threads)
    tf.config.threading.set_inter_op_parallelism_threads(config.threads)
    print(
        f"{'items':>9} {'wire':5}{'clients':>8}{'p50 ms':>9}{'p99 ms':>9}"
        f"{'per s':>8}{'bare ms':>9}{'graph ms':>9}"
        f"{'server ms':>10}{'over ms':>9}{'times':>7}"
    )
    for num_items in config.items:
        with served(num_items) as server:
            measure(config, num_items, server)


@contextlib.contextmanager
def served(num_items: int) -> Iterator[Server]:
    """Exports random weights and serves them."""
    with tempfile.TemporaryDirectory() as folder:
        export(Path(folder), num_items)
        server = Server(
            ServerConfig(export_dir=folder, grpc_port=0, rest_port=0)
        )
        try:
            yield server
        finally:
            server.stop()


def export(folder: Path, num_items: int) -> None:
    """Writes version 1 of `acvae`."""
    vocabulary = folder / "items.txt"
    vocabulary.write_text("".join(f"{n}\n" for n in range(num_items)))
    signatures = Signatures(
        ACVAE(num_items),
        vocabulary,
        tf.fill([num_items], -np.log(num_items).astype(np.float32)),
        _K,
        exclude_history=True,
    )
    traced = signatures.trace()
    # As the export writes it.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    path = folder / "acvae" / "1"
    tf.saved_model.save(signatures, str(path), traced, options)


def measure(
    config: ServingBenchmarkConfig, num_items: int, server: Server
) -> None:
    """Prints the rows of one size."""
    rng = np.random.default_rng(0)
    histories = rng.integers(num_items, size=[_REQUESTS, config.length])
    histories = histories.astype(str)
    bare = median_seconds(bare_step(num_items), config.seconds)
    graph = median_seconds(graph_step(server, histories), config.seconds)
    for wire, port in (("grpc", server.grpc_port), ("rest", server.rest_port)):
        encode = {"grpc": grpc_body, "rest": rest_body}[wire]
        bodies = json.dumps([encode(row.tolist()).hex() for row in histories])
        for clients in config.clients:
            result = subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "benchmarks.load",
                    wire,
                    f"127.0.0.1:{port}",
                    _PATHS[wire],
                    str(clients),
                    str(config.seconds),
                ],
                input=bodies,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            measured = json.loads(result.stdout)
            p50, p99 = measured["p50"], measured["p99"]
            print(
                f"{num_items:9,} {wire:5}{clients:8}{1e3 * p50:9.2f}"
                f"{1e3 * p99:9.2f}{measured['rate']:8,.0f}{1e3 * bare:9.2f}"
                f"{1e3 * graph:9.2f}{1e3 * (p50 - graph):10.2f}"
                f"{1e3 * (p50 - bare):9.2f}{p50 / bare:7.2f}",
                flush=True,
            )


def median_seconds(run: Callable[[], object], seconds: float) -> float:
    """Returns the median time of a call, over so many seconds."""
    run()
    times = []
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        run()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


def bare_step(num_items: int) -> Callable[[], object]:
    """Returns the arithmetic of one row: a product and its best scores."""
    units = ACVAE.config_class().decoder_units
    table = tf.Variable(tf.random.normal([units, num_items]))
    row = tf.random.normal([1, units])

    @tf.function(input_signature=[tf.TensorSpec([None, units])])
    def step(row):
        return tf.math.top_k(row @ table, _K)

    return lambda: step(row)


def graph_step(server: Server, histories: np.ndarray) -> Callable[[], object]:
    """Returns a run of the served graph for one row."""
    spec = PredictRequest().model_spec
    spec.name = "acvae"
    with server.models.use(spec) as servable:
        signature = servable.signature("")
        rows = iter(range(2**62))

        def step():
            history = histories[[next(rows) % _REQUESTS]].astype(object)
            inputs = {"history": history}
            return servable.run(signature, inputs, signature.outputs)

        return step


def grpc_body(history: list[str]) -> bytes:
    """Returns a request as gRPC sends it."""
    request = PredictRequest()
    request.model_spec.name = "acvae"
    request.inputs["history"].CopyFrom(tf.make_tensor_proto([history]))
    return request.SerializeToString()


def rest_body(history: list[str]) -> bytes:
    """Returns a request as REST sends it."""
    return json.dumps({"instances": [history]}).encode()


if __name__ == "__main__":
    cli.run(main, ServingBenchmarkConfig)
