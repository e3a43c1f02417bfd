"""Courses of the learning rate."""

from collections.abc import Callable

import keras

from tfrec.training.config import TrainingConfig

Schedule = Callable[..., keras.optimizers.schedules.LearningRateSchedule]


def make_schedule(
    config: TrainingConfig, steps_per_epoch: int
) -> Schedule | None:
    """Returns what turns a peak learning rate into a schedule.

    Args:
        config: Names the schedule.
        steps_per_epoch: Training steps in an epoch.

    Returns:
        None for a constant learning rate. Otherwise a function of the peak
        and of `every`, the training steps for each step of the optimizer (1 by
        default).
    """
    if config.learning_rate_schedule == "constant":
        return None
    steps = config.epochs * steps_per_epoch
    # Of a part of an epoch that rounds to all of it, one step is left to fall.
    warmup = min(round(config.warmup_epochs * steps_per_epoch), steps - 1)

    def cosine(
        peak: float, every: float = 1
    ) -> keras.optimizers.schedules.CosineDecay:
        return keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0 if warmup else peak,
            decay_steps=(steps - warmup) / every,
            warmup_target=peak if warmup else None,
            warmup_steps=warmup / every,
        )

    return cosine
