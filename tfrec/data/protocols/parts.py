"""The parts of a divided log: values of the column `part`."""

TRAIN, VALIDATION, TEST = range(3)
# Fewer items than this give no pair of history and target to train on.
MIN_TRAINING_ITEMS = 2
