"""Draws docs/exploration.png: how much `sample` explores, and for whom.

    make demo  # or its first command
    python -m tfrec.train --flagfile=configs/quickstart.flags \\
        --adversarial_weight=0.1 --run_dir=runs/wide
    python -m docs.exploration --run_dirs=runs/quickstart,runs/wide

Exports each run, then asks the signature `sample` for ten items after the last
1, 2, 4, 8 and 16 items of some test histories, with many seeds. The listener
on the left is asked of the last run. Needs matplotlib (`pip install
matplotlib`).
"""

import dataclasses
import tempfile
from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

from tfrec import cli, settings
from tfrec.serving.exporting import export
from tfrec.settings import Settings, setting
from tfrec.training import Run, load_run

_LENGTHS = (1, 2, 4, 8, 16)
_LISTENERS = 50
_SEEDS = 200
# Bars on the left.
_BARS = 6

Sample = Callable[[list[str]], np.ndarray]


@dataclasses.dataclass(frozen=True)
class PictureConfig(Settings):
    """What to draw."""

    run_dirs: tuple[str, ...] = setting(
        (), "Folders of the runs.", required=True
    )
    file: str = setting("docs/exploration.png", "The picture.")


def sampler(run: Run) -> Sample:
    """Exports a run and returns what samples for a history.

    The function returns item names, `[seeds, 10]`.
    """
    with tempfile.TemporaryDirectory() as folder:
        loaded = tf.saved_model.load(str(export(run, folder)))
    seeds = tf.constant([[0, seed] for seed in range(_SEEDS)], tf.int64)

    def sample(history: list[str]) -> np.ndarray:
        answer = loaded.signatures["sample"](
            history=tf.constant([history] * _SEEDS), seed=seeds
        )
        return answer["items"].numpy().astype(str)

    return sample


def listeners(run: Run) -> list[list[str]]:
    """Returns test histories that are as long as the longest asked for."""
    rows = [
        run.data.vocabulary.lookup(row[row > 0])
        for batch in run.data.evaluation("test").as_numpy_iterator()
        for row in batch.history
    ]
    return [row for row in rows if len(row) >= _LENGTHS[-1]][:_LISTENERS]


def main() -> None:
    """Asks and draws."""
    config = settings.from_flags(PictureConfig)
    runs = [load_run(folder) for folder in config.run_dirs]
    samplers = [sampler(run) for run in runs]
    histories = listeners(runs[0])
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")

    for axis, length in ((axes[0], _LENGTHS[0]), (axes[1], _LENGTHS[-1])):
        top = samplers[-1](histories[0][-length:])[:, 0]
        items, counts = np.unique(top, return_counts=True)
        best = np.argsort(-counts)[:_BARS]
        axis.barh(items[best], counts[best] / _SEEDS, color="tab:orange")
        axis.set_ylim(_BARS - 0.5, -0.5)
        axis.set_xlim(0, 1)
        axis.set_xlabel(f"share of {_SEEDS} samples with the item on top")
        known = "1 item" if length == 1 else f"{length} items"
        axis.set_title(f"one listener, {known} known")

    for run, sample in zip(runs, samplers, strict=True):
        shown = [
            np.mean([len(np.unique(sample(h[-length:]))) for h in histories])
            for length in _LENGTHS
        ]
        weight = run.model.config.adversarial_weight
        axes[2].plot(
            _LENGTHS, shown, "o-", label=f"--adversarial_weight={weight:g}"
        )
    axes[2].axhline(10, color="grey", linestyle=":", label="without sampling")
    axes[2].set_xscale("log", base=2)
    axes[2].set_xticks(_LENGTHS, _LENGTHS)
    axes[2].set_ylim(0, 1.6 * axes[2].get_ylim()[1])
    axes[2].set_xlabel("items known of a listener")
    axes[2].set_title(f"different items in {_SEEDS} lists of 10")
    axes[2].legend(loc="upper right")
    figure.savefig(config.file, dpi=110)


if __name__ == "__main__":
    cli.run(main, PictureConfig)
