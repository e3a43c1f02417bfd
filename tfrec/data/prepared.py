"""A prepared dataset: the folder that training and evaluation read."""

import functools
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfrec.data import pipeline, records
from tfrec.data.config import DataConfig
from tfrec.data.manifest import Manifest
from tfrec.data.protocols import Protocol, get_protocol
from tfrec.data.titles import read_titles
from tfrec.data.vocabulary import USERS, Vocabulary
from tfrec.errors import (
    InputError,
    InputWarning,
    OutsideError,
    nearest_names,
)

EVALUATION_SPLITS = ("validation", "test")


class PreparedDataset:
    """Gives the batches of a prepared dataset.

    Open one with `PreparedDataset.open`, or make one with `prepare`.

    Attributes:
        data_dir: The folder.
        manifest: What it holds and how it was made.
        vocabulary: Items and their indices.
    """

    def __init__(
        self, data_dir: Path, manifest: Manifest, vocabulary: Vocabulary
    ):
        self.data_dir = data_dir
        self.manifest = manifest
        self.vocabulary = vocabulary
        self._warned: set[str] = set()
        # To build a pipeline takes longer than to read a small one.
        self._evaluation = functools.lru_cache(8)(self._make_evaluation)
        self._training = functools.lru_cache(8)(self._make_training)

    @classmethod
    def open(cls, data_dir: str | Path) -> "PreparedDataset":
        """Opens a folder that `prepare` wrote.

        Checks the manifest, `items.txt` and `users.txt` by their checksums,
        and that every other file is there with its size; `verify` checks the
        contents of these.

        Raises:
            InputError: If it is no prepared dataset, of another format
                version, or a file is missing, truncated or was changed.
        """
        data_dir = Path(data_dir)
        manifest = Manifest.load(data_dir)
        for file in _files(manifest):
            records.check_file(data_dir, file)
        manifest.check_files(data_dir)
        vocabulary = Vocabulary.load(data_dir)
        return cls(data_dir, manifest, vocabulary)

    def verify(self) -> None:
        """Reads every file and compares it with its checksum.

        Raises:
            InputError: Naming the damaged file, and the record where known.
        """
        for file in _files(self.manifest):
            records.verify_file(self.data_dir, file)
        for file in self.manifest.log.get("files", ()):
            # Nothing but `append` reads it: it may be deleted.
            if (self.data_dir / file["file"]).exists():
                records.verify_file(self.data_dir, file)
        self.manifest.check_files(self.data_dir)

    def explain_read_error(self, error: Exception) -> InputError | None:
        """Finds the damaged shard behind an error raised while reading.

        Example:

            try:
                model.fit(data.training(...))
            except tf.errors.OpError as error:
                explained = data.explain_read_error(error)
                if explained is None:
                    raise
                raise explained from error

        Args:
            error: What TensorFlow raised.

        Returns:
            The error to raise instead, naming the file and the record; None
            if all files are intact, so that the cause lies elsewhere.
        """
        if not isinstance(error, tf.errors.OpError):
            return None
        try:
            self.verify()
        except InputError as explained:
            return OutsideError(str(explained))
        return None

    @property
    def num_items(self) -> int:
        """Number of items, without padding."""
        return self.vocabulary.size

    @property
    def num_users(self) -> int:
        """Number of users; 0 where sequences are sessions, without a user."""
        if not self.protocol.has_users:
            return 0
        return self.manifest.splits["train"]["records"]

    @functools.cached_property
    def users(self) -> Vocabulary:
        """Users and their indices, read on first use; see `num_users`."""
        return Vocabulary.load(self.data_dir, USERS)

    @functools.cached_property
    def protocol(self) -> Protocol:
        """How the evaluation splits were cut and are to be ranked."""
        return get_protocol(DataConfig.from_dict(self.manifest.settings))

    @functools.cached_property
    def _titles(self) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        return read_titles(self.data_dir)

    @property
    def titles(self) -> dict[str, str]:
        """Title of each item that has one; empty if the source has none."""
        return self._titles[0]

    @property
    def columns(self) -> dict[str, dict[str, str]]:
        """What else `titles.tsv` says of items, by column; often nothing."""
        return self._titles[1]

    def steps_per_epoch(self, batch_size: int, fit_on: str = "train") -> int:
        """Returns the exact number of training batches in one epoch."""
        shards = self._training_shards(fit_on)
        records = sum(shard["records"] for shard in shards)
        return sum(pipeline.cut(records, batch_size).batches)

    def fewest_rows(self, batch_size: int, fit_on: str = "train") -> int:
        """Returns the number of sequences of the smallest training batch."""
        shards = self._training_shards(fit_on)
        plan = pipeline.cut(sum(s["records"] for s in shards), batch_size)
        return min(
            window // count
            for window, count in zip(plan.windows, plan.batches, strict=True)
        )

    def training(
        self,
        batch_size: int = 64,
        max_length: int = 200,
        seed: int = 0,
        fit_on: str = "train",
        epochs: int | None = None,
        first_step: int = 0,
        windows: bool = False,
        recency: float = 0.0,
        input_context: tf.distribute.InputContext | None = None,
    ) -> tf.data.Dataset:
        """Streams training batches; see `pipeline.training_batches`.

        Args:
            batch_size: Largest number of sequences in a (global) batch.
            max_length: Rows have up to `max_length` + 1 items, the newest.
            seed: With the epoch it alone determines the order.
            fit_on: "train", or "all" to append the validation targets, with
                next_click the validation sessions.
            epochs: Number of epochs in the stream, which is the same each time
                that it is read. By default the dataset has one epoch, and each
                time that it is read it is the next one, in a new order: for
                `model.fit(data.training(), epochs=9)`.
            first_step: Number of steps already taken in an earlier run; by
                default of one epoch.
            windows: Whether the older items of longer sequences come in rows
                of their own.
            recency: What a sequence weighs is divided by e for each such share
                of the log that is newer, see `pipeline.recency_weights`. 0: all
                weigh the same.
            input_context: Of a worker that reads only its share of the
                records, as `distribute_datasets_from_function` gives it.

        Returns:
            Dataset of `TrainingBatch`.

        Raises:
            InputError: If there is nothing to train on or an argument is out
                of range.
        """
        if first_step and epochs is None:
            epochs = 1
        for name, value, least in (
            ("max_length", max_length, 1),
            ("epochs", 1 if epochs is None else epochs, 1),
            ("first_step", first_step, 0),
        ):
            if value < least:
                raise InputError(
                    f"`{name}` must be at least {least}. Received: {value}."
                )
        if first_step:
            steps = self.steps_per_epoch(batch_size, fit_on) * epochs
            if first_step > steps:
                raise InputError(
                    f"`first_step` must be at most {steps}, the steps of "
                    f"{epochs} epochs. Received: {first_step}."
                )
        # Without `epochs` each stream counts its own readings, and a worker's
        # is its own.
        kept = epochs is not None and input_context is None
        make = self._training if kept else self._make_training
        return make(
            fit_on,
            batch_size=batch_size,
            max_length=max_length,
            seed=seed,
            epochs=epochs,
            first_step=first_step,
            windows=windows,
            recency=recency,
            input_context=input_context,
        )

    def _make_training(self, fit_on: str, **settings: Any) -> tf.data.Dataset:
        shards = self._training_shards(fit_on)
        counts = [shard["records"] for shard in shards]
        size = sum(shard["bytes"] for shard in shards)
        return pipeline.training_batches(
            self._files(shards),
            counts,
            size / sum(counts),
            append_targets=self.protocol.appends_targets(fit_on),
            places=self._places(fit_on),
            **settings,
        )

    def _places(self, fit_on: str) -> list[tuple[int, int]]:
        """Returns `places` of the training shards, see `training_batches`."""
        places, first = [], 0
        for name in self.protocol.training_splits(fit_on):
            split = self.manifest.splits.get(name)
            # Records were dealt to the shards in turn.
            count = len(split["shards"])
            places += [(first + shard, count) for shard in range(count)]
            first += split["records"]
        return places

    def examples(self, split: str) -> int:
        """Returns the number of sequences in a split; with next_click clicks.

        Raises:
            InputError: If there is no such split or it is empty.
        """
        return self.protocol.examples(self._split(split))

    def describe(self, split: str) -> str:
        """Returns the protocol as it is printed with numbers of a split.

        Raises:
            InputError: See `examples`.
        """
        return self.protocol.describe(self._split(split))

    def warn_of_history(self, split: str) -> None:
        """Warns once of targets that no ranking can hit.

        They are items of the history, and the protocol does not rank those.

        Args:
            split: "validation" or "test".
        """
        held = self.manifest.splits.get(split, {})
        missed, targets = held.get("targets_in_history"), held.get("targets")
        if not missed or not self.protocol.exclude_history:
            return
        if split in self._warned:
            return
        self._warned.add(split)
        warnings.warn(
            f"{missed:,} of {targets:,} {split} targets "
            f"({missed / targets:.1%}) are items of the history, which are not "
            "ranked: they can only be missed. Where items come again, prepare "
            "the dataset with `--rank_history`.",
            InputWarning,
            stacklevel=3,
        )

    def evaluation(self, split: str, batch_size: int = 256) -> tf.data.Dataset:
        """Streams an evaluation split once; see `evaluation_batches`.

        With next_click each click but the first of a session is a row, see
        `clicks.click_batches`.

        Args:
            split: "validation" or "test".
            batch_size: Largest number of rows in a batch.

        Returns:
            Dataset of `EvaluationBatch`.

        Raises:
            InputError: If there is no such split or it is empty.
        """
        if split not in EVALUATION_SPLITS:
            raise InputError(
                "The evaluation split must be validation or test. "
                f"Received: {split!r}."
                f"{nearest_names(split, EVALUATION_SPLITS)}"
            )
        self._split(split)
        self.warn_of_history(split)
        return self._evaluation(split, batch_size)

    def _make_evaluation(self, split: str, batch_size: int) -> tf.data.Dataset:
        held = self._split(split)
        return self.protocol.evaluation(
            self._files(held["shards"]), held, batch_size, self.num_items
        )

    def _training_shards(self, fit_on: str) -> list[dict[str, Any]]:
        if fit_on not in ("train", "all"):
            raise InputError(
                f"`--fit_on` must be train or all. Received: {fit_on!r}."
            )
        first, *rest = self.protocol.training_splits(fit_on)
        splits = [self._split(first), *map(self.manifest.splits.get, rest)]
        return [shard for split in splits for shard in split["shards"]]

    def _split(self, name: str) -> dict[str, Any]:
        """Returns the manifest's entry of a split that has records."""
        split = self.manifest.splits.get(name)
        if not split or not split["records"]:
            if name == "test" and self.protocol.no_test:
                raise InputError(
                    f"{self.data_dir} has no test: it was prepared with "
                    f"{self.protocol.no_test}, to train on everything."
                )
            raise InputError(
                f"{self.data_dir} has no {name} sequences. Prepare it with "
                "settings that leave some, or with more data."
            )
        return split

    def _files(self, shards: list[dict[str, Any]]) -> list[str]:
        return [str(self.data_dir / shard["file"]) for shard in shards]


def _files(manifest: Manifest) -> Iterator[dict[str, Any]]:
    """Yields {file, bytes, sha256} of each file whose contents are known."""
    for split in manifest.splits.values():
        yield from split["shards"]
        if gaps := split.get("gaps"):
            yield gaps
