"""Training steps on catalogues of 3,500 to a million items.

    python -m benchmarks.catalogue
    python -m benchmarks.catalogue --model=acvae --items=3500,30000

Trains VASER (or ACVAE) with its default settings on made sessions of popular
items, with the full and the sampled softmax or other losses, and prints the
median seconds of a step and the peak resident memory, each of a process of its
own. What would take more than `--memory_limit` is left out. Once a run come the
count of the items, which is one more pass over the data, and once an epoch,
when items are drawn, `LazyAdamW.catch_up`.
"""

from tfrec import cli, settings

# isort: split
import dataclasses
import os
import subprocess
import sys

import numpy as np
import tensorflow as tf

from benchmarks.floor import fit_seconds
from tfrec.batches import TrainingBatch
from tfrec.models import get_model
from tfrec.settings import Settings, setting

# Copies of the item tables that a step holds: with the full softmax weights,
# two moments, gradients of products and targets, and what the optimizer makes
# of them; with losses on drawn items weights, two moments, and one while it
# starts.
_COPIES, _COPIES_DRAWN = 9, 4
# Positions whose logits of all items the full softmax holds.
_LOGITS = 512


@dataclasses.dataclass(frozen=True)
class CatalogueConfig(Settings):
    """What is measured."""

    model: str = setting("vaser", "The model.", choices=("acvae", "vaser"))
    items: tuple[int, ...] = setting(
        (3_500, 30_000, 300_000, 1_000_000),
        "Sizes of the catalogue.",
        minimum=1001,
    )
    loss: tuple[str, ...] = setting(
        ("softmax", "sampled_softmax"),
        "Losses, each with its default `--negatives`.",
        choices=(
            "softmax",
            "sampled_softmax",
            "bpr_max",
            "top1_max",
            "top1",
            "bpr",
            "binary",
            "gbce",
        ),
    )
    threads: int = setting(2, "Threads that TensorFlow may use.", minimum=1)
    batch_size: int = setting(64, "Sessions in a batch.", minimum=2)
    length: int = setting(20, "Items of a session.", minimum=2)
    steps: int = setting(6, "Steps; the first is not counted.", minimum=2)
    memory_limit: float = setting(
        16.0, "Gigabytes that a process may take by estimate.", above=0.0
    )


def batches(config: CatalogueConfig, num_items: int) -> tf.data.Dataset:
    """Makes sessions; the item in place r of popularity has p ~ 1 / (r + 1)."""
    rng = np.random.default_rng(0)
    shape = [config.steps, config.batch_size, config.length]
    places = np.exp(rng.uniform(size=shape) * np.log(num_items))
    items = tf.data.Dataset.from_tensor_slices(places.astype(np.int32))
    return items.map(TrainingBatch.of)


def make(config: CatalogueConfig, num_items: int, loss: str):
    """Returns the model."""
    model_class = get_model(config.model)
    return model_class(num_items, model_class.config_class(loss=loss))


def step_seconds(config: CatalogueConfig) -> float:
    """Trains and returns the median seconds of a step."""
    (num_items,), (loss,) = config.items, config.loss
    model = make(config, num_items, loss)
    model.compile()
    data = batches(config, num_items)
    model.adapt(data)
    return float(np.median(fit_seconds(model, data)[1:]))


def estimate(config: CatalogueConfig, num_items: int, loss: str) -> float:
    """Returns the gigabytes that a process will take, about."""
    c = get_model(config.model).config_class()
    numbers = 1 + c.embedding_dim
    if not c.tie_weights:
        numbers += c.decoder_units or c.embedding_dim
    if loss == "softmax":
        numbers = _COPIES * numbers + _LOGITS
    else:
        numbers *= _COPIES_DRAWN
    return 0.7 + 4e-9 * numbers * num_items


def measure(config: CatalogueConfig, num_items: int, loss: str) -> str:
    """Runs a process and returns its seconds and gigabytes as text."""
    expected = estimate(config, num_items, loss)
    if expected > config.memory_limit:
        return f"left out: about {expected:.0f} GB"
    names = ("model", "threads", "batch_size", "length", "steps")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "benchmarks.catalogue"),
            *(f"--{name}={getattr(config, name)}" for name in names),
            f"--items={num_items}",
            f"--loss={loss}",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    seconds = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{num_items} items, {loss}: failed.")
    # In KiB on Linux.
    return f"{float(seconds):.3f} s {usage.ru_maxrss * 1024 / 1e9:6.2f} GB"


def main() -> None:
    """Measures and prints."""
    config = settings.from_flags(CatalogueConfig)
    if len(config.items) == len(config.loss) == 1:
        tf.config.threading.set_intra_op_parallelism_threads(config.threads)
        tf.config.threading.set_inter_op_parallelism_threads(config.threads)
        print(step_seconds(config))
        return
    print(
        f"{config.model}, {config.batch_size} sessions of {config.length} "
        f"items, {config.threads} threads\n\n{'items':>9}"
        + "".join(f"{loss:>24}" for loss in config.loss)
    )
    for num_items in config.items:
        print(f"{num_items:9,}", end="", flush=True)
        for loss in config.loss:
            found = measure(config, num_items, loss)
            print(f"{found:>24}", end="", flush=True)
        print()


if __name__ == "__main__":
    cli.run(main, CatalogueConfig)
