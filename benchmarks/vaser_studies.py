"""VASER's parameter studies: K, beta, and recall by the length of a session.

    python -m benchmarks.vaser_studies --raw_dir=yoochoose1_64 \\
        --run_dir=runs/vaser_yoochoose_1_64

Trains configs/vaser/yoochoose_1_64.flags once for each number of flows K and
for each final weight beta (figures 5 and 4 of the paper), all alike otherwise:
the paper's batch, state and latent, and few epochs. Tabulates the validation
split's metrics, the bound and its terms per session as trained, and active
units. K = 0 is the Gaussian posterior at the same budget. Then reads recall and
MRR by the number of clicks before the target (figure 3 has the length of the
session) off a run of the config file itself, on the test split. Writes
docs/vaser_studies.png. A run that is finished is not repeated, so that the
command resumes.
"""

from tfrec import cli, settings

# isort: split
import csv
import dataclasses
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import tensorflow as tf

from tfrec.metrics import target_ranks
from tfrec.settings import Settings, setting
from tfrec.training import load_run

CONFIG = "configs/vaser/yoochoose_1_64.flags"
FLOWS = (0, 1, 4, 8, 16, 32)
BETAS = (0.0, 0.0005, 0.005, 0.1, 0.2, 0.5, 1.0)
# The budget of each run; batch, state and latent are the paper's.
BUDGET = (
    "--fit_on=train",
    "--epochs=3",
    "--warmup_epochs=0.5",
    "--batch_size=512",
    "--learning_rate=3e-3",
    "--gru_units=100",
    "--latent_dim=100",
    "--anneal_steps=300",
    "--label_smoothing=0",
)
# What is read off the last row of epochs.csv.
COLUMNS = ("val_recall@20", "val_mrr@20", "bound", "kl", "log_det")
LENGTHS = (1, 2, 3, 4, 5, 7, 10, 15, 1000)


@dataclasses.dataclass(frozen=True)
class StudiesConfig(Settings):
    """What is trained, and where."""

    raw_dir: str = setting("", "Folder of the sessions of YOOCHOOSE 1/64.")
    data_dir: str = setting("", "Folder of the prepared sessions.")
    runs_dir: str = setting("runs/vaser_studies", "Folder of the runs.")
    kl_weight: float = setting(0.005, "Beta while K varies.", minimum=0.0)
    flows: int = setting(16, "K while beta varies.", minimum=0)
    run_dir: str = setting(
        "",
        "A run of the config file, for the study of lengths.",
        required=True,
    )


def trained(config: StudiesConfig, flows: int, beta: float) -> Path:
    """Trains one run, unless it is there, and returns its folder."""
    folder = Path(config.runs_dir) / f"k{flows}_beta{beta:g}"
    subprocess.run(
        [
            sys.executable,
            *("-m", "tfrec.train", f"--flagfile={CONFIG}"),
            *(f"--flows={flows}", f"--kl_weight={beta}"),
            *BUDGET,
            *(f"--raw_dir={config.raw_dir}", f"--data_dir={config.data_dir}"),
            *(f"--run_dir={folder}", "--verbose=line"),
        ],
        check=True,
    )
    return folder


def last_epoch(folder: Path) -> dict[str, float]:
    """Returns the numbers of the last epoch of a run."""
    with open(folder / "epochs.csv", encoding="utf-8") as file:
        *_, row = csv.DictReader(file)
    return {name: float(row[name]) for name in (*COLUMNS, "active_units")}


def print_table(title: str, rows: dict[float, dict[str, float]]) -> None:
    """Prints a Markdown table with a row for each value of a setting."""
    names = (*COLUMNS, "active_units")
    print(f"\n| {title} | {' | '.join(names)} |")
    print(f"|---|{'---|' * len(names)}")
    for value, row in rows.items():
        cells = [f"{row[n]:.4f}" for n in COLUMNS[:2]]
        cells += [f"{row[n]:.2f}" for n in COLUMNS[2:]]
        print(f"| {value:g} | {' | '.join(cells)} | {row['active_units']:g} |")


def by_length(folder: str) -> list[tuple[str, int, float, float]]:
    """Returns (clicks, targets, recall@20, mrr@20) by length of history."""
    run = load_run(folder)

    @tf.function(reduce_retracing=True)
    def ranks(batch):
        scores = run.model.score(batch.query)
        return target_ranks(scores, batch.targets, batch.excluded)

    lengths, places = [], []
    for batch in run.data.evaluation("test"):
        lengths.append(tf.math.count_nonzero(batch.history, 1))
        places.append(ranks(batch)[:, 0])
    lengths, places = np.concatenate(lengths), np.concatenate(places)
    rows, low = [], 0
    for high in LENGTHS:
        chosen = places[(lengths > low) & (lengths <= high)]
        name = f"{low + 1}" if high == low + 1 else f"{low + 1}-{high}"
        if high == LENGTHS[-1]:
            name = f"over {low}"
        hits = chosen <= 20
        rows.append((name, chosen.size, hits.mean(), (hits / chosen).mean()))
        low = high
    return rows


def draw(studies: dict[str, dict], lengths: list, path: Path) -> None:
    """Draws the studies side by side."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(12, 3.4))
    for axis, (title, rows) in zip(axes, studies.items(), strict=False):
        places = range(len(rows))
        axis.plot(
            places, [r["val_recall@20"] for r in rows.values()], "o-", c="C0"
        )
        axis.set_xticks(places, [f"{value:g}" for value in rows])
        axis.set(xlabel=title, ylabel="recall@20, validation")
        bound = axis.twinx()
        bound.plot(places, [r["bound"] for r in rows.values()], "s--", c="C1")
        bound.set_ylabel("bound, nats per session", color="C1")
    names, _, recall, mrr = zip(*lengths, strict=True)
    axes[2].plot(names, recall, "o-", label="recall@20")
    axes[2].plot(names, mrr, "s--", label="mrr@20")
    axes[2].set(xlabel="clicks before the target")
    axes[2].tick_params(axis="x", rotation=45)
    axes[2].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Trains, tabulates and draws."""
    config = settings.from_flags(StudiesConfig)
    flows = {k: last_epoch(trained(config, k, config.kl_weight)) for k in FLOWS}
    betas = {b: last_epoch(trained(config, config.flows, b)) for b in BETAS}
    print_table("K", flows)
    print_table("beta", betas)
    lengths = by_length(config.run_dir)
    print(
        "\n| clicks before | targets | recall@20 | mrr@20 |\n|---|---|---|---|"
    )
    for name, count, recall, mrr in lengths:
        print(f"| {name} | {count:,} | {recall:.4f} | {mrr:.4f} |")
    draw(
        {"number of flows K": flows, "final beta": betas},
        lengths,
        Path("docs/vaser_studies.png"),
    )


if __name__ == "__main__":
    cli.run(main, StudiesConfig)
