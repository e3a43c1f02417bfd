"""Time of the loss of the full softmax, beside its bare matrix products.

    python -m benchmarks.softmax
    python -m benchmarks.softmax --dim=256 --history=150

Takes loss and gradients of `softmax_loss` at random positions, for several
numbers of items, in float32 and in bfloat16, and beside it nothing but the
three products of the logits, the states' gradient and the item vectors'
gradient, of as many positions at once as are fastest. All run in one process
in turns; the fastest round of each counts.
"""

from tfrec import cli, settings

# isort: split
import dataclasses
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfrec.layers.losses.full_softmax import softmax_loss
from tfrec.layers.losses.histories import Histories
from tfrec.settings import Settings, setting

# Positions whose products are taken at once in the floor; the fastest counts.
_ROWS = (64, 128, 256, 512, 1024)


@dataclasses.dataclass(frozen=True)
class SoftmaxBenchmarkConfig(Settings):
    """What is measured."""

    items: tuple[int, ...] = setting(
        (3_533, 17_376, 43_000), "Numbers of items."
    )
    positions: int = setting(2_048, "Positions with a target.", minimum=1)
    dim: int = setting(128, "Dimensions of states and item vectors.", minimum=1)
    history: int = setting(
        0,
        "Items in each history, which the softmax leaves out. 0: none is left "
        "out.",
        minimum=0,
    )
    threads: int = setting(1, "Threads that TensorFlow may use.", minimum=1)
    rounds: int = setting(
        5, "Rounds; the first also builds the graphs.", minimum=2
    )


def the_loss(
    config: SoftmaxBenchmarkConfig, num_items: int, dtype: str
) -> Callable[[], object]:
    """Returns a function that takes the loss and its gradients."""
    rows = config.positions
    hidden = tf.random.normal([rows, config.dim])
    kernel = tf.random.normal([num_items, config.dim], stddev=0.1)
    bias = tf.random.normal([num_items], stddev=0.1)
    columns = tf.random.uniform([rows, 1], 0, num_items, tf.int32)
    histories = None
    if config.history:
        sequences = -(-rows // config.history)
        items = [sequences, config.history]
        items = tf.random.uniform(items, 0, num_items, tf.int32)
        histories = Histories(items, tf.where(items >= 0)[:rows])

    @tf.function
    def take(hidden, kernel, bias):
        sources = hidden, kernel, bias
        with tf.GradientTape() as tape:
            tape.watch(sources)
            loss = softmax_loss(
                *sources,
                columns,
                tf.ones([rows, 1]),
                tf.ones([rows]),
                matmul_dtype=dtype,
                histories=histories,
            )
        return loss, tape.gradient(loss, sources)

    return lambda: take(hidden, kernel, bias)


def the_products(
    config: SoftmaxBenchmarkConfig, num_items: int, dtype: str
) -> Callable[[int], object]:
    """Returns a function that takes the products for a number of positions."""
    most = max(_ROWS)
    states = tf.cast(tf.random.normal([most, config.dim]), dtype)
    kernel = tf.cast(tf.random.normal([num_items, config.dim]), dtype)
    upstream = tf.cast(tf.random.normal([most, num_items]), dtype)

    @tf.function
    def take(rows):
        some, above = states[:rows], upstream[:rows]
        results = (
            tf.matmul(some, kernel, transpose_b=True),
            tf.matmul(above, some, transpose_a=True),
            tf.matmul(above, kernel),
        )
        # One number of each, so that none is left out as unused.
        return [result[0, 0] for result in results]

    return lambda rows: take(tf.constant(rows))


def milliseconds(run: Callable[[], object]) -> float:
    """Returns the time of one call."""
    start = time.perf_counter()
    run()
    return 1e3 * (time.perf_counter() - start)


def measure(
    config: SoftmaxBenchmarkConfig, num_items: int, dtype: str
) -> tuple[float, float]:
    """Returns the milliseconds of the loss and of its products alone."""
    loss = the_loss(config, num_items, dtype)
    products = the_products(config, num_items, dtype)
    rounds = []
    for _ in range(config.rounds):
        found = [milliseconds(loss)]
        for rows in _ROWS:
            taken = milliseconds(lambda rows=rows: products(rows))
            found.append(config.positions / rows * taken)
        rounds.append(found)
    best = np.min(rounds, axis=0)
    return best[0], best[1:].min()


def main() -> None:
    """Measures and prints."""
    config = settings.from_flags(SoftmaxBenchmarkConfig)
    tf.config.threading.set_intra_op_parallelism_threads(config.threads)
    tf.config.threading.set_inter_op_parallelism_threads(config.threads)
    print(
        f"{config.positions:,} positions, {config.dim} dimensions, "
        f"{config.threads} threads, forward and backward\n\n"
        f"{'items':>8} {'type':10}{'loss, ms':>10}{'products, ms':>14}"
        f"{'products/loss':>15}"
    )
    for num_items in config.items:
        for dtype in ("float32", "bfloat16"):
            loss, products = measure(config, num_items, dtype)
            print(
                f"{num_items:8,} {dtype:10}{loss:10.1f}{products:14.1f}"
                f"{products / loss:15.2f}",
                flush=True,
            )


if __name__ == "__main__":
    cli.run(main, SoftmaxBenchmarkConfig)
