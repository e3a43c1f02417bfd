"""Where a model is trained: one device or several."""

import tensorflow as tf


def make_strategy(distribution: str) -> tf.distribute.Strategy:
    """Returns the strategy in whose scope a model is built.

    Args:
        distribution: "none": one device. "mirrored": every GPU of the
            machine, or every logical CPU device where there is none. "auto":
            mirrored if there are several GPUs.
    """
    gpus = tf.config.list_logical_devices("GPU")
    if distribution == "mirrored" or (distribution == "auto" and len(gpus) > 1):
        devices = gpus or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([d.name for d in devices])
    return tf.distribute.get_strategy()
