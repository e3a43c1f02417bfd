"""Where a model is trained: one device, several, or several machines."""

import functools
import json
import os

import tensorflow as tf

# TensorFlow has no public name for what `_allow_pauses` sets.
from tensorflow.python.eager import context

from tfrec.errors import InputError

# A second MirroredStrategy in a process numbers its collective operations
# from the start again; TensorFlow then confuses them with those of the first
# and fails on their shapes. So there is one for each set of devices.
_mirrored = functools.cache(tf.distribute.MirroredStrategy)

# After how many silent seconds a worker counts as lost. By TensorFlow's own
# default, 10, a machine that stands still for a moment ends the whole job.
HEARTBEAT_SECONDS = 60


def make_strategy(distribution: str) -> tf.distribute.Strategy:
    """Returns the strategy in whose scope a model is trained.

    Args:
        distribution: "multi_worker": on the machines that the environment
            variable TF_CONFIG names; waits for all of them, and must come
            before TensorFlow computes anything. "auto": multi_worker if
            TF_CONFIG names several, else as for `local_strategy`, like
            "none" and "mirrored".

    Raises:
        InputError: If TF_CONFIG does not describe a job, or TensorFlow has
            already begun.
    """
    if count_workers(distribution) > 1:
        return _multi_worker()
    return local_strategy(distribution)


def count_workers(distribution: str) -> int:
    """Returns on how many machines a model is trained.

    Args:
        distribution: As for `make_strategy`.

    Raises:
        InputError: If TF_CONFIG does not describe a job.
    """
    text = os.environ.get("TF_CONFIG", "")
    wanted = distribution == "multi_worker" or (distribution == "auto" and text)
    return _workers_of(text) if wanted else 1


def local_strategy(distribution: str) -> tf.distribute.Strategy:
    """Returns the strategy on this machine alone.

    Args:
        distribution: "none": one device. "mirrored": every GPU of the
            machine, or every logical CPU device where there is none. "auto"
            and "multi_worker": mirrored if there are several GPUs.
    """
    gpus = tf.config.list_logical_devices("GPU")
    several = distribution != "none" and len(gpus) > 1
    if distribution == "mirrored" or several:
        devices = gpus or tf.config.list_logical_devices("CPU")
        return _mirrored(tuple(device.name for device in devices))
    return tf.distribute.get_strategy()


@functools.cache
def _multi_worker() -> tf.distribute.Strategy:
    _allow_pauses(json.loads(os.environ["TF_CONFIG"])["cluster"])
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise InputError(
            "`--distribution=multi_worker` must come before TensorFlow "
            "computes anything in this process: start it afresh, and call "
            f"`make_strategy` first. ({error})"
        ) from error


def _allow_pauses(jobs: dict[str, list[str]]) -> None:
    """Gives the workers time to be heard of, before their strategy is made."""
    config = tf.compat.v1.ConfigProto().experimental.coordination_config
    for job, addresses in jobs.items():
        config.coordinated_job_list.add(name=job, num_tasks=len(addresses))
    leader = "chief" if "chief" in jobs else "worker"
    context.context().configure_coordination_service(
        service_type="standalone",
        service_leader=f"/job:{leader}/replica:0/task:0",
        heartbeat_timeout_in_ms=HEARTBEAT_SECONDS * 1000,
        coordinated_jobs=list(config.coordinated_job_list),
    )


def _workers_of(text: str) -> int:
    """Returns the number of workers in TF_CONFIG, having checked it."""
    example = (
        '{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, '
        '"task": {"type": "worker", "index": 0}}'
    )
    try:
        config = json.loads(text)
        jobs, task = config["cluster"], config["task"]
        known = set(jobs) <= {"chief", "worker"} and all(
            isinstance(addresses, list)
            and all(isinstance(address, str) for address in addresses)
            for addresses in jobs.values()
        )
        here = 0 <= int(task["index"]) < len(jobs[task["type"]])
    except (ValueError, KeyError, TypeError, AttributeError):
        known = here = False
    if not (known and here) or len(jobs.get("chief", "")) > 1:
        raise InputError(
            "`--distribution=multi_worker` needs the environment variable "
            "TF_CONFIG to name all workers, at most one of them as chief, and "
            f"which of them this is, as in {example}. Received: "
            f"{text or 'nothing'}."
        )
    return sum(len(addresses) for addresses in jobs.values())
