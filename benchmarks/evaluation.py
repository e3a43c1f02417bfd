"""Time of a full-ranking evaluation, and what it is spent on.

    python -m benchmarks.evaluation
    python -m benchmarks.evaluation --data_dir=data/ml-1m-1234abcd

Evaluates ACVAE on a test split of the shape of ML-1M: the targets of 6,034
users, a fifth of each sequence, ranked among all 3,533 items but the history.
Prints the seconds of `model.evaluate`, from the TFRecords to the metrics, and
those of its parts run by themselves: reading (the pipeline), scoring (the
model) and ranking (ranks and metrics). Each is the fastest of several rounds.
On two threads of an Intel Xeon with AVX-512:

                  seconds   users/s   share
    evaluate         1.88     3,218    1.00
      reading        0.25    24,029    0.13
      scoring        1.01     5,985    0.54
      ranking        0.49    12,383    0.26
"""

from tfrec import cli, settings

# isort: split
import dataclasses
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from benchmarks.generated import dataset
from tfrec.data import PreparedDataset
from tfrec.metrics import target_ranks
from tfrec.models import ACVAE
from tfrec.settings import Settings, setting


@dataclasses.dataclass(frozen=True)
class EvaluationBenchmarkConfig(Settings):
    """What is measured."""

    data_dir: str = setting(
        "", "A prepared dataset. Empty: one is generated, shaped like ML-1M."
    )
    threads: int = setting(2, "Threads that TensorFlow may use.", minimum=1)
    batch_size: int = setting(256, "Sequences in a batch.", minimum=1)
    rounds: int = setting(
        3, "Rounds; the first also builds the graphs.", minimum=2
    )


def fastest(run: Callable[[], None], rounds: int) -> float:
    """Returns the seconds of the fastest of several runs."""
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main() -> None:
    """Measures and prints."""
    config = settings.from_flags(EvaluationBenchmarkConfig)
    tf.config.threading.set_intra_op_parallelism_threads(config.threads)
    tf.config.threading.set_inter_op_parallelism_threads(config.threads)
    with dataset(config.data_dir) as data:
        measure(config, data)


def measure(config: EvaluationBenchmarkConfig, data: PreparedDataset) -> None:
    """Runs the rounds and prints the table."""
    model = ACVAE(data.num_items)
    model.compile()
    batches = data.evaluation("test", config.batch_size)
    kept = list(batches)
    score = tf.function(model.score, reduce_retracing=True)
    scores = tf.random.normal([config.batch_size, data.num_items])

    @tf.function(reduce_retracing=True)
    def rank(batch):
        rows = tf.shape(batch.targets)[0]
        ranks = target_ranks(scores[:rows], batch.targets, batch.excluded)
        for metric in model.ranking_metrics:
            metric.update_state(ranks)

    seconds = {
        "evaluate": lambda: model.evaluate(batches, verbose=0),
        "  reading": lambda: [None for _ in batches],
        "  scoring": lambda: [score(batch.query) for batch in kept],
        "  ranking": lambda: [rank(batch) for batch in kept],
    }
    seconds = {k: fastest(run, config.rounds) for k, run in seconds.items()}

    users = sum(len(batch.targets) for batch in kept)
    targets = sum(np.count_nonzero(batch.targets) for batch in kept)
    print(
        f"{users:,} users, {targets:,} targets among {data.num_items:,} items; "
        f"{config.threads} threads\n\n{'':12}{'seconds':>9}{'users/s':>10}"
        f"{'share':>8}"
    )
    for name, value in seconds.items():
        print(
            f"{name:12}{value:9.2f}{users / value:10,.0f}"
            f"{value / seconds['evaluate']:8.2f}"
        )


if __name__ == "__main__":
    cli.run(main, EvaluationBenchmarkConfig)
