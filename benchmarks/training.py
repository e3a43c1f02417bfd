"""Training speed of ACVAE: against its arithmetic, and written naively.

    python -m benchmarks.training
    python -m benchmarks.training --data_dir=data/ml-1m-1234abcd

Trains on data of the shape of ML-1M (3,533 items, up to 200 items of each of
6,034 users) with batches of 64, through the TFRecord pipeline and `fit`, and
prints items predicted per second beside

* the floor: nothing but the matrix products of the same batches, see `floor`;
* the naive model: padded to 200, one-hot targets, a dense softmax at every
  position, Keras's GRU, one critic pass after the other. Its loss is checked
  to be the same.

All run in one process in turns, several rounds; each batch counts with its
fastest round, so other work on the machine hits all alike. Takes about 3
minutes on two idle cores. On two threads of an AMD EPYC with AVX512-BF16:

                              items/s  of its floor  times naive
    floor, float32             32,377          1.00          7.1
    ACVAE, float32             19,546          0.60          4.3
    floor, bfloat16            40,547          1.00          8.9
    ACVAE, bfloat16            22,637          0.56          5.0
    naive, float32              4,541                        1.0
"""

from tfrec import cli, settings

# isort: split
import dataclasses
import itertools

import numpy as np
import tensorflow as tf

from benchmarks.floor import Product, fit_seconds, floor_seconds, make_floor
from benchmarks.generated import dataset
from benchmarks.naive import NaiveACVAE, copy_weights, largest_difference
from tfrec.models import ACVAE, ACVAEConfig
from tfrec.settings import Settings, setting


@dataclasses.dataclass(frozen=True)
class TrainingBenchmarkConfig(Settings):
    """What is measured."""

    data_dir: str = setting(
        "", "A prepared dataset. Empty: one is generated, shaped like ML-1M."
    )
    threads: int = setting(2, "Threads that TensorFlow may use.", minimum=1)
    batch_size: int = setting(64, "Sequences in a batch.", minimum=2)
    batches: int = setting(
        32, "Batches of each round; a window of 32 has all lengths.", minimum=1
    )
    rounds: int = setting(
        4, "Rounds; the first also builds the graphs.", minimum=2
    )
    naive_batches: int = setting(
        2, "Batches of the naive model in each round.", minimum=1
    )


def products(model: ACVAE) -> list[Product]:
    """Lists the matrix products of a training step; the softmax's is last."""
    c = model.config
    item, units, z = c.embedding_dim, c.gru_units, c.latent_dim
    filters, wide = c.convolution_filters, c.critic_units
    windows = c.kernel_size * units
    critic_gates = 3 * wide
    return [
        # Encoder.
        Product(1, item, 3 * units, item),
        Product(1, units, 3 * units, units),
        # Posterior: noise, narrow, noise, convolution, widen, latent.
        Product(1, units, units, 0),
        Product(1, units, units, units),
        Product(1, units, units, 0),
        Product(1, windows, filters, windows),
        Product(1, filters, units, filters),
        Product(1, units, z, units),
        # Adversary, on posterior and prior.
        Product(2, item + z, wide, z),
        Product(2, wide, wide, wide),
        Product(2, wide, wide, wide),
        # Critic, on positive and negative pairs.
        Product(2, item + z, critic_gates, z),
        Product(2, wide, critic_gates, wide),
        # Decoder.
        Product(1, z, model.decoder.units, z),
        Product(1, model.decoder.units, model.num_items, model.decoder.units),
    ]


def build(model_class: type[ACVAE], num_items: int, dtype: str) -> ACVAE:
    """Builds a model ready to be fitted."""
    model = model_class(num_items, ACVAEConfig(matmul_dtype=dtype))
    model.compile()
    return model


def main() -> None:
    """Measures and prints."""
    config = settings.from_flags(TrainingBenchmarkConfig)
    tf.config.threading.set_intra_op_parallelism_threads(config.threads)
    tf.config.threading.set_inter_op_parallelism_threads(config.threads)
    with dataset(config.data_dir) as data:
        batches = data.training(config.batch_size, fit_on="all", epochs=1)
        measure(config, data.num_items, batches.take(config.batches))


def measure(
    config: TrainingBenchmarkConfig, num_items: int, batches: tf.data.Dataset
) -> None:
    """Runs the rounds and prints the table."""
    tokens = [int(np.count_nonzero(b.items[:, 1:])) for b in batches]
    types = ("float32", "bfloat16")
    models = {dtype: build(ACVAE, num_items, dtype) for dtype in types}
    floors = {
        dtype: make_floor(products(models[dtype]), dtype, max(tokens))
        for dtype in types
    }
    naive = build(NaiveACVAE, num_items, "float32")

    copy_weights(models["float32"], naive)
    batch = next(iter(batches))
    difference = largest_difference(models["float32"], naive, batch)
    if difference > 1e-4:
        raise SystemExit(f"The naive model's loss differs by {difference:.1e}.")

    rounds = []
    for number in range(config.rounds):
        print(f"round {number + 1} of {config.rounds}", flush=True)
        seconds = {}
        for dtype in types:
            seconds[f"ACVAE, {dtype}"] = fit_seconds(models[dtype], batches)
            seconds[f"floor, {dtype}"] = floor_seconds(floors[dtype], tokens)
        # Padded, all its batches are the same work.
        found = fit_seconds(naive, batches.take(config.naive_batches))
        seconds["naive"] = [min(found)] * len(tokens)
        rounds.append(seconds)

    rates = {
        name: sum(tokens) / np.min([r[name] for r in rounds], axis=0).sum()
        for name in rounds[0]
    }
    print(
        f"\n{len(tokens)} batches of {config.batch_size}, "
        f"{np.mean(tokens):,.0f} items to predict in each, out of {num_items:,}"
        f"; {config.threads} threads; the naive model's loss is equal to "
        f"{difference:.0e}\n"
    )
    print(f"{'':24}{'items/s':>9}{'of its floor':>14}{'times naive':>13}")
    for dtype, kind in itertools.product(types, ("floor", "ACVAE")):
        name = f"{kind}, {dtype}"
        share = rates[name] / rates[f"floor, {dtype}"]
        print(
            f"{name:24}{rates[name]:9,.0f}{share:14.2f}"
            f"{rates[name] / rates['naive']:13.1f}"
        )
    print(f"{'naive, float32':24}{rates['naive']:9,.0f}{'':14}{1:13.1f}")


if __name__ == "__main__":
    cli.run(main, TrainingBenchmarkConfig)
