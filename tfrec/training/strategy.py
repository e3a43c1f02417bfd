"""Where a model is trained: one device or several."""

import functools

import tensorflow as tf

# A second MirroredStrategy in a process numbers its collective operations
# from the start again; TensorFlow then confuses them with those of the first
# and fails on their shapes. So there is one for each set of devices.
_mirrored = functools.cache(tf.distribute.MirroredStrategy)


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
        return _mirrored(tuple(device.name for device in devices))
    return tf.distribute.get_strategy()
