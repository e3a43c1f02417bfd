"""What a run reads: its splits, its batches, and who reads them."""

import tensorflow as tf

from tfrec.data import PreparedDataset
from tfrec.errors import InputError
from tfrec.models import Recommender, get_model
from tfrec.training.config import TrainingConfig
from tfrec.training.workers import Workers


def check_splits(
    data: PreparedDataset, config: TrainingConfig, test: bool
) -> None:
    """Raises `InputError` if there is nothing to choose or to test by."""
    if test:
        data.examples("test")
    validation = data.manifest.splits["validation"]["records"]
    if config.fit_on == "train" and not validation:
        raise InputError(
            f"{data.data_dir} has no validation sequences to choose the epoch "
            "by. Give `--fit_on=all` and the number of `--epochs`, or prepare "
            "it with a larger `--validation_fraction`."
        )


def check_recency(data: PreparedDataset, config: TrainingConfig) -> None:
    """Raises `InputError` if `--recency` means nothing."""
    if not config.recency:
        return
    if not get_model(config.model).weighs:
        raise InputError(
            f"`--recency` means nothing with --model={config.model}, which "
            "reads no weights of sequences. Remove it, or take a model that is "
            "trained, or ease, slist or transitions."
        )
    if not data.protocol.in_order:
        raise InputError(
            "`--recency` means nothing with --protocol="
            f"{data.protocol.name}, whose sequences are in no order of time. "
            "Remove it, or take next_click."
        )


def divides_files(
    data: PreparedDataset, config: TrainingConfig, workers: Workers
) -> bool:
    """Returns whether each worker reads its shards alone.

    Raises:
        InputError: If it is asked for and there are too few shards, or one
            worker.
    """
    if workers.count == 1 and config.divide_input == "files":
        raise InputError(
            "`--divide_input=files` means nothing with one worker. Remove it, "
            "or start several; see `--distribution`."
        )
    if workers.count == 1 or config.divide_input == "rows":
        return False
    shards = len(data.manifest.splits["train"]["shards"])
    if shards < workers.count and config.divide_input == "files":
        raise InputError(
            "`--divide_input=files` needs at least as many shards as workers, "
            f"{workers.count}. Received: {data.data_dir}, which has {shards}. "
            "Prepare it with more `--shards`, or give --divide_input=rows."
        )
    return shards >= workers.count


def batches(
    model: Recommender,
    data: PreparedDataset,
    config: TrainingConfig,
    epochs: int = 1,
    first_step: int = 0,
    context: tf.distribute.InputContext | None = None,
) -> tf.data.Dataset:
    """Streams what a run trains on.

    Args:
        model: The model.
        data: What it is trained on.
        config: How.
        epochs: See `PreparedDataset.training`.
        first_step: The same.
        context: The same, as `input_context`.
    """
    return data.training(
        batch_size=config.batch_size,
        max_length=model.config.max_length,
        seed=config.seed,
        fit_on=config.fit_on,
        epochs=epochs,
        first_step=first_step,
        windows=config.long_sequences == "windows",
        recency=config.recency,
        input_context=context,
    )


def steps_per_epoch(data: PreparedDataset, config: TrainingConfig) -> int:
    """Returns the training steps of an epoch.

    Raises:
        InputError: If `--steps_per_execution` does not divide them.
    """
    steps = data.steps_per_epoch(config.batch_size, config.fit_on)
    if steps % config.steps_per_execution:
        divisors = [str(n) for n in range(1, steps + 1) if steps % n == 0]
        raise InputError(
            f"`--steps_per_execution` must divide the {steps} steps of an "
            f"epoch: {', '.join(divisors)}. Received: "
            f"{config.steps_per_execution}."
        )
    return steps
