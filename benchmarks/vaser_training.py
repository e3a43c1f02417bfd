"""Training speed of VASER against its arithmetic, and memory of long sessions.

    python -m benchmarks.vaser_training --raw_dir=yoochoose1_64

Trains VASER's default settings on YOOCHOOSE 1/64 (17,376 items) with batches of
512 sessions, through the TFRecord pipeline and `fit`, and prints clicks
predicted and sessions per second beside the floor, nothing but the matrix
products of the same batches (see `floor`). All run in one process in turns;
each batch counts with its fastest round.

Then the memory of the attention over long sessions: what a forward and
backward pass over 32 sessions adds to the process's peak, beside the same with
all pairs of positions in one array.
"""

from tfrec import cli, settings

# isort: split
import dataclasses
import resource

import numpy as np
import tensorflow as tf

from benchmarks.floor import Product, fit_seconds, floor_seconds, make_floor
from tfrec.data import DataConfig, prepare
from tfrec.layers.session_attention import attend
from tfrec.models import VASER, VASERConfig
from tfrec.settings import Settings, setting

LENGTHS = (100, 200, 400, 800)


@dataclasses.dataclass(frozen=True)
class VaserBenchmarkConfig(Settings):
    """What is measured."""

    raw_dir: str = setting("", "Folder of the sessions of YOOCHOOSE 1/64.")
    data_dir: str = setting("", "Folder of the prepared sessions.")
    threads: int = setting(2, "Threads that TensorFlow may use.", minimum=1)
    batch_size: int = setting(512, "Sessions in a batch.", minimum=1)
    batches: int = setting(32, "Batches of each round.", minimum=1)
    rounds: int = setting(
        4, "Rounds; the first also builds the graphs.", minimum=2
    )


def products(model: VASER) -> list[Product]:
    """Lists the matrix products of a training step; the softmax's is last."""
    c = model.config
    item, units, z = c.embedding_dim, c.gru_units, c.latent_dim
    return [
        # Encoder, and queries and keys of the attention.
        Product(1, item, 3 * units, item),
        Product(1, units, 3 * units, units),
        Product(1, units, 2 * units, units),
        # Mean and scale; w'z and u tanh(...) of all flows.
        Product(1, units, 2 * z, units),
        Product(1, z, c.flows, z),
        Product(1, c.flows, z, c.flows),
        # Decoder.
        Product(1, z + units, item, z + units),
        Product(1, item, model.num_items, item),
    ]


def measure_speed(config: VaserBenchmarkConfig) -> None:
    """Prints clicks and sessions per second."""
    data = prepare(
        DataConfig(
            dataset="sessions",
            protocol="next_click",
            min_sequence_length=2,
            raw_dir=config.raw_dir,
            data_dir=config.data_dir,
        )
    )
    batches = data.training(config.batch_size, max_length=30, epochs=1)
    batches = batches.take(config.batches)
    tokens = [int(np.count_nonzero(b.items[:, 1:])) for b in batches]
    sessions = sum(len(batch.items) for batch in batches)
    seconds = {}
    for dtype in ("float32", "bfloat16"):
        model = VASER(data.num_items, VASERConfig(matmul_dtype=dtype))
        model.compile()
        floor = make_floor(products(model), dtype, max(tokens))
        rounds = [
            (fit_seconds(model, batches), floor_seconds(floor, tokens))
            for _ in range(config.rounds)
        ]
        steps, products_only = np.min(rounds, axis=0).sum(1)
        seconds[dtype] = steps, products_only
    print(
        f"{len(tokens)} batches of {config.batch_size}, {np.mean(tokens):,.0f} "
        f"clicks to predict in each, out of {data.num_items:,} items; "
        f"{config.threads} threads\n\n{'':18}{'clicks/s':>10}{'sessions/s':>12}"
        f"{'of its floor':>14}"
    )
    for dtype, (steps, products_only) in seconds.items():
        for name, value in (("floor", products_only), ("VASER", steps)):
            print(
                f"{name + ', ' + dtype:18}{sum(tokens) / value:10,.0f}"
                f"{sessions / value:12,.0f}{products_only / value:14.2f}"
            )


def all_pairs(hidden, query, key, weigh):
    """The attention with every pair of positions in memory."""
    gate = tf.sigmoid(query[:, :, None] + key[:, None])
    weights = tf.linalg.band_part(tf.tensordot(gate, weigh, 1), -1, 0)
    return weights @ hidden


def added_gigabytes(function, length: int, units: int = 100) -> float:
    """Returns by how much a pass raises the process's peak memory."""

    @tf.function
    def step():
        inputs = [tf.random.normal([32, length, units]) for _ in range(3)]
        inputs.append(tf.random.normal([units]))
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value = tf.reduce_sum(function(*inputs))
        return [tf.reduce_sum(g) for g in tape.gradient(value, inputs)]

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    step()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (after - before) / 1e6


def main() -> None:
    """Measures and prints."""
    config = settings.from_flags(VaserBenchmarkConfig)
    tf.config.threading.set_intra_op_parallelism_threads(config.threads)
    tf.config.threading.set_inter_op_parallelism_threads(config.threads)
    # First: a peak that training left behind would hide smaller ones.
    print("GB added by the attention of 32 sessions, forward and backward")
    for name, function, lengths in (
        ("attend", attend, LENGTHS),
        ("all pairs", all_pairs, LENGTHS[:-1]),
    ):
        for length in lengths:
            added = added_gigabytes(function, length)
            print(f"  {name:10}{length:6} clicks{added:8.2f}")
    print(flush=True)
    measure_speed(config)


if __name__ == "__main__":
    cli.run(main, VaserBenchmarkConfig)
