"""Several workers that train one model: what they tell each other."""

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfrec.errors import InputError

# Numbers in one message; 64 MB.
_AT_ONCE = 2**24
# What TensorFlow raises when a worker is gone, or has failed.
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)


class Workers:
    """The workers of a job, seen from one of them.

    The chief, worker 0, alone has the run directory. Every other worker has a
    copy of it in a temporary folder, to read what the chief reads and to drop
    what the chief writes: saving and reading metrics are collective
    operations, in which all take part. So no folder need be shared.

    Every method is called by all of them, in the same order. A job of one
    worker agrees with itself.

    Args:
        strategy: From `make_strategy`.
    """

    def __init__(self, strategy: tf.distribute.Strategy):
        self._strategy = strategy
        self.count, self.index = 1, 0
        if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            resolver = strategy.cluster_resolver
            spec = resolver.cluster_spec().as_dict()
            chiefs = len(spec.get("chief", []))
            self.count = chiefs + len(spec.get("worker", []))
            self.index = resolver.task_id + (
                chiefs if resolver.task_type == "worker" else 0
            )
        self._replicas = strategy.num_replicas_in_sync // self.count

    @property
    def chief(self) -> bool:
        """Whether this is the worker that writes."""
        return self.index == 0

    def any(self, *flags: bool) -> list[bool]:
        """Returns for each flag whether a worker has set it."""
        if self.count == 1:
            return list(flags)
        return [bool(n) for n in self._sum(np.float32(flags))]

    def divide(
        self, read: Callable[..., tf.data.Dataset], *arguments: Any
    ) -> tf.distribute.DistributedDataset:
        """Gives each worker batches of its own.

        Args:
            read: Called with the arguments and, last, which of the workers
                this is. Each of its batches goes to one replica, in turn.
            *arguments: What else `read` needs.
        """
        return self._strategy.distribute_datasets_from_function(
            lambda context: read(*arguments, context)
        )

    def wait(self) -> None:
        """Returns when all workers have come here."""
        self.any(False)

    def gather(self, text: str) -> list[str]:
        """Returns the texts of all workers, by their index."""
        if self.count == 1:
            return [text]
        codes = np.frombuffer(text.encode(), np.uint8)
        lengths = np.zeros(self.count, np.float32)
        lengths[self.index] = len(codes)
        lengths = self._sum(lengths).astype(int)
        # TensorFlow crashes when it adds up nothing at all.
        rows = np.zeros((self.count, max(1, *lengths)), np.float32)
        rows[self.index, : len(codes)] = codes
        rows = self._sum(rows.ravel()).reshape(rows.shape).astype(np.uint8)
        return [
            row[:length].tobytes().decode()
            for row, length in zip(rows, lengths, strict=True)
        ]

    @contextlib.contextmanager
    def agreeing(self) -> Iterator[None]:
        """Makes an `InputError` of one worker one of all, at the end.

        Otherwise the others would wait for one that has gone.
        """
        error = None
        try:
            yield
        except InputError as raised:
            error = raised
        messages = self.gather(str(error or ""))
        if error:
            raise error
        for index, message in enumerate(messages):
            if message:
                raise InputError(f"Worker {index}: {message}")

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Reports a lost worker, and lets no worker leave before the others.

        Raises:
            InputError: If another worker is gone.
        """
        try:
            yield
            self.wait()
        except _LOST as error:
            if self.count == 1:
                raise
            raise InputError(
                "Another of the job's workers failed or was lost. Start all "
                "of them again: the run resumes from its last checkpoint. "
                f"({error.message.splitlines()[0]})"
            ) from error

    def refuse_differences(self, description: dict[str, Any]) -> None:
        """Compares what must be alike.

        Args:
            description: Names, as a user knows them, and JSON values.

        Raises:
            InputError: On every worker, naming what differs from the chief.
        """
        texts = self.gather(json.dumps(description))
        ours, *others = map(json.loads, texts)
        missing = object()
        differences = [
            f"{name} is {ours.get(name, 'absent')} on worker 0 and "
            f"{theirs.get(name, 'absent')} on worker {index}"
            for index, theirs in enumerate(others, 1)
            for name in {**ours, **theirs}
            if ours.get(name, missing) != theirs.get(name, missing)
        ]
        if differences:
            raise InputError(
                "The workers of a job must have the same settings, data and "
                f"packages: {'; '.join(differences)}."
            )

    @contextlib.contextmanager
    def copied(self, folder: Path, paths: Sequence[str]) -> Iterator[Path]:
        """Gives each worker its folder: the chief its own, others a copy.

        Args:
            folder: The chief's.
            paths: What to copy: the files of these names, and those in the
                folders of these names. What is absent is left out.
        """
        if self.count == 1:
            yield folder
            return
        with contextlib.ExitStack() as stack:
            files = []
            if self.chief:
                files = [
                    (str(path.relative_to(folder)), path.stat().st_size)
                    for top in paths
                    for path in (folder / top, *folder.glob(f"{top}/**/*"))
                    if path.is_file()
                ]
            else:
                folder = Path(
                    stack.enter_context(
                        tempfile.TemporaryDirectory(prefix="tfrec-")
                    )
                )
            for name, size in json.loads(self.gather(json.dumps(files))[0]):
                self._copy(folder / name, size)
            yield folder

    def _copy(self, path: Path, size: int) -> None:
        """Copies one file of the chief to the others."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "rb" if self.chief else "wb") as file:
            for start in range(0, size, _AT_ONCE):
                length = min(_AT_ONCE, size - start)
                data = np.zeros(length, np.float32)
                if self.chief:
                    data[:] = np.frombuffer(file.read(length), np.uint8)
                data = self._sum(data).astype(np.uint8)
                if not self.chief:
                    file.write(data.tobytes())

    def _sum(self, values: np.ndarray) -> np.ndarray:
        """Adds whole numbers, float32 `[n]`: what any device can reduce."""
        # A replica's share need not be a whole number.
        return np.rint(self._add(tf.constant(values)))

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.float32)], autograph=False
    )
    def _add(self, values: tf.Tensor) -> tf.Tensor:
        def add() -> tf.Tensor:
            replica = tf.distribute.get_replica_context()
            # The replicas of a worker have the same values.
            share = values / self._replicas
            return replica.all_reduce(tf.distribute.ReduceOp.SUM, share)

        total = self._strategy.run(add)
        return self._strategy.experimental_local_results(total)[0]
