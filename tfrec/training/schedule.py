"""Courses of the learning rate."""

from collections.abc import Callable

import keras

from tfrec.training.config import TrainingConfig

Schedule = Callable[[float], keras.optimizers.schedules.LearningRateSchedule]


def make_schedule(
    config: TrainingConfig, steps_per_epoch: int
) -> Schedule | None:
    """Returns what turns a peak learning rate into a schedule.

    Args:
        config: Names the schedule.
        steps_per_epoch: Training steps in an epoch.

    Returns:
        None for a constant learning rate.
    """
    if config.learning_rate_schedule == "constant":
        return None
    warmup = round(config.warmup_epochs * steps_per_epoch)
    steps = config.epochs * steps_per_epoch

    def cosine(peak: float) -> keras.optimizers.schedules.CosineDecay:
        return keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0 if warmup else peak,
            decay_steps=steps - warmup,
            warmup_target=peak if warmup else None,
            warmup_steps=warmup,
        )

    return cosine
