"""The settings of a training run."""

import dataclasses
from collections.abc import Iterable

from tfrec.errors import InputError, nearest_names
from tfrec.settings import Settings, setting

# May differ when a run is resumed: they decide how long and where it runs,
# and what is shown, not what a step computes.
_CHANGEABLE = (
    "run_dir",
    "epochs",
    "patience",
    "distribution",
    # Another number of workers may have to divide otherwise.
    "divide_input",
    "checkpoint_minutes",
    "evaluation_batch_size",
    "evaluation_block_items",
    "diagnostic_sequences",
    "verbose",
    # What is read once training has ended.
    "test",
    # What is said of a run, whatever it computes.
    "measured_by",
)


def metric_names(cutoffs: Iterable[int]) -> list[str]:
    """Returns the names of the metrics that are taken at each cutoff."""
    return [
        f"{name}@{k}" for k in cutoffs for name in ("recall", "ndcg", "mrr")
    ]


@dataclasses.dataclass(frozen=True)
class TrainingConfig(Settings):
    """How a model is trained, selected and watched."""

    model: str = setting("acvae", "Name of the model.")
    run_dir: str = setting(
        "",
        "Folder of the run: configuration, checkpoints, TensorBoard, numbers. "
        "A run that was interrupted is resumed. Empty: runs/<model>-<name of "
        "the prepared dataset>.",
    )
    init_from: str = setting(
        "",
        "Folder of another run of the same model, whose weights this one "
        "starts from; items and users are matched by id, and those that are "
        "new start at the mean of the others. Optimizers start anew. A run "
        "that is resumed goes on from its checkpoint. Empty: weights drawn at "
        "random.",
    )
    measured_by: str = setting(
        "",
        "With data that has no test: folder of the run that measured the same "
        "settings. Its test score is copied into this run's description, with "
        "what differs.",
    )
    epochs: int = setting(
        100,
        "Largest number of epochs. Raise it to continue a finished run.",
        minimum=1,
    )
    batch_size: int = setting(
        64, "Sequences in a training batch, over all devices.", minimum=1
    )
    evaluation_batch_size: int = setting(
        256, "Sequences in an evaluation batch.", minimum=1
    )
    evaluation_block_items: int = setting(
        131_072,
        "Items scored at once in evaluation, of all that are ranked. Of a "
        "million, fewer at once take less memory, down to 8192 (but models "
        "that count, and those of sets, always score all); no number changes.",
        minimum=1,
    )
    seed: int = setting(
        0,
        "Seed of the weights, the noise and the order.",
        minimum=0,
        # NumPy's.
        maximum=2**32 - 1,
    )
    deterministic: bool = setting(
        False,
        "Use only operations that repeat bit for bit, at some cost in speed.",
    )
    distribution: str = setting(
        "auto",
        "none: on one device. mirrored: on all GPUs of this machine. "
        "multi_worker: on the machines that TF_CONFIG names. auto: "
        "multi_worker if it names several, else mirrored if there are several "
        "GPUs.",
        choices=("auto", "none", "mirrored", "multi_worker"),
    )
    divide_input: str = setting(
        "auto",
        "What several workers divide. files: each reads its shards of each "
        "epoch alone. rows: each reads everything and takes its rows of each "
        "batch, so that batches are those of one machine. auto: files if "
        "there are at least as many shards as workers.",
        choices=("auto", "files", "rows"),
    )
    fit_on: str = setting(
        "train",
        "train: choose the epoch on the validation split. all: train on it as "
        "well, for a fixed number of epochs.",
        choices=("train", "all"),
    )
    long_sequences: str = setting(
        "newest",
        "What is trained on of sequences longer than --max_length + 1. newest: "
        "their newest items. windows: all, cut into rows of that length, of "
        "which each starts without a history.",
        choices=("newest", "windows"),
    )
    recency: float = setting(
        0.0,
        "next_click: what a session weighs in training is divided by e for "
        "each such share of the log that comes after it. With 0.5 the oldest "
        "weighs e^2 times less than the newest. The log must have its sessions "
        "in the order of time, which is not checked. 0: all weigh the same.",
        minimum=0.0,
    )
    cutoffs: tuple[int, ...] = setting(
        (5, 10, 20), "The k of recall@k, ndcg@k and mrr@k.", minimum=1
    )
    validation_metric: str = setting(
        "ndcg@10", "The metric by which the best epoch is chosen."
    )
    validate_every: int = setting(
        1, "Epochs from one validation to the next.", minimum=1
    )
    patience: int = setting(
        0,
        "Stop after this many epochs without a better validation metric. 0: "
        "never.",
        minimum=0,
    )
    learning_rate_schedule: str = setting(
        "constant",
        "Course of the learning rate; cosine lets it fall to 0 over all "
        "epochs.",
        choices=("constant", "cosine"),
    )
    warmup_epochs: float = setting(
        0.0,
        "cosine: epochs in which the learning rate first rises from 0.",
        minimum=0.0,
    )
    steps_per_execution: int = setting(
        1,
        "Steps in one call of the graph. More is faster on a GPU; must divide "
        "the steps of an epoch.",
        minimum=1,
    )
    checkpoint_minutes: float = setting(
        5.0,
        "Minutes from one checkpoint to the next. Besides, each better epoch "
        "is kept. 0: after each step.",
        minimum=0.0,
    )
    test: bool = setting(
        True,
        "Rank the test split at the end. --notest leaves it unread while "
        "settings are chosen on the validation split; the same command without "
        "it then reads it.",
    )
    diagnostic_sequences: int = setting(
        256,
        "Sequences on which correlation, active units and histograms of the "
        "latents are computed. 0: none.",
        minimum=0,
    )
    verbose: str = setting(
        "auto",
        "bar: progress within each epoch. line: one line for each epoch. auto: "
        "bar on a terminal, else line.",
        choices=("auto", "bar", "line", "none"),
    )

    def __post_init__(self):
        super().__post_init__()
        metrics = metric_names(self.cutoffs)
        if self.validation_metric not in metrics:
            raise InputError(
                f"`--validation_metric` must be one of {', '.join(metrics)}. "
                f"Received: {self.validation_metric}."
                f"{nearest_names(self.validation_metric, metrics)}"
            )
        if self.warmup_epochs >= self.epochs:
            raise InputError(
                f"`--warmup_epochs` must be below `--epochs` ({self.epochs}). "
                f"Received: {self.warmup_epochs}."
            )

    def unused(self) -> dict[str, str]:
        """See base class."""
        found = {}
        if self.fit_on == "all":
            why = "with --fit_on=all, which leaves nothing to validate on"
            found |= {"patience": why, "validate_every": why}
        if self.learning_rate_schedule != "cosine":
            schedule = self.learning_rate_schedule
            found["warmup_epochs"] = f"with --learning_rate_schedule={schedule}"
        return found

    def identity(self) -> dict[str, object]:
        """Returns the settings that a resumed run must share."""
        # The cosine's length is the number of epochs.
        fixed = {"epochs"} if self.learning_rate_schedule == "cosine" else set()
        skipped = set(_CHANGEABLE) - fixed
        return {k: v for k, v in self.to_dict().items() if k not in skipped}
