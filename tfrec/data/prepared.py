"""A prepared dataset: the folder that training and evaluation read."""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfrec.data import clicks, pipeline, records
from tfrec.data.manifest import Manifest, data_checksum
from tfrec.data.vocabulary import Vocabulary
from tfrec.errors import InputError, nearest_names


@dataclasses.dataclass(frozen=True)
class Protocol:
    """An evaluation protocol, printed with every number.

    Attributes:
        name: "holdout", "leave_one_out" or "next_click".
        exclude_history: Whether the items of the history are not ranked.
        test_fraction: Share of each sequence that is target; None where the
            protocol has none.
    """

    name: str
    exclude_history: bool
    test_fraction: float | None = None

    @property
    def whole_sequences(self) -> bool:
        """Whether whole sequences are held out: each click is an example."""
        return self.name == "next_click"

    def describe(self, examples: int, unseen: int = 0) -> str:
        """Returns e.g. "holdout 0.2, history excluded, 6034 users".

        Args:
            examples: Number of examples evaluated.
            unseen: How many of them have a target that can only be missed.
        """
        name = self.name
        if self.test_fraction is not None:
            name += f" {self.test_fraction:g}"
        history = "excluded" if self.exclude_history else "ranked"
        kind = "clicks" if self.whole_sequences else "users"
        text = f"{name}, history {history}, {examples} {kind}"
        return text + (f", {unseen} never seen in training" if unseen else "")


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

    @classmethod
    def open(cls, data_dir: str | Path) -> "PreparedDataset":
        """Opens a folder that `prepare` wrote.

        Checks the format, and that every shard is there with its size;
        `verify` checks the contents.

        Raises:
            InputError: If it is no prepared dataset, of another format
                version, or a file is missing or truncated.
        """
        data_dir = Path(data_dir)
        manifest = Manifest.load(data_dir)
        for split in manifest.splits.values():
            for shard in split["shards"]:
                records.check_shard(data_dir, shard)
        vocabulary = Vocabulary.load(data_dir)
        return cls(data_dir, manifest, vocabulary)

    def verify(self) -> None:
        """Reads every file and compares it with its checksum.

        Raises:
            InputError: Naming the damaged file, and the record where known.
        """
        for split in self.manifest.splits.values():
            for shard in split["shards"]:
                records.verify_shard(self.data_dir, shard)
        expected = self.manifest.data_checksum
        received = data_checksum(self.manifest.splits, self.vocabulary.checksum)
        if received != expected:
            raise InputError(
                f"{self.data_dir / 'items.txt'} or the manifest was changed: "
                f"expected data checksum {expected}, received {received}. "
                f"{records.REMEDY}"
            )

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
            return explained
        return None

    @property
    def num_items(self) -> int:
        """Number of items, without padding."""
        return self.vocabulary.size

    @property
    def protocol(self) -> Protocol:
        """How the evaluation splits were cut and are to be ranked."""
        name = self.manifest.protocol
        fraction = self.manifest.settings.get("test_fraction")
        return Protocol(
            name=name,
            exclude_history=name != "next_click",
            test_fraction=fraction if name == "holdout" else None,
        )

    @functools.cached_property
    def titles(self) -> dict[str, str]:
        """Title of each item that has one; empty if the source has none."""
        path = self.data_dir / "titles.tsv"
        if not path.exists():
            return {}
        with open(path, encoding="utf-8", newline="\n") as file:
            return dict(line.rstrip("\n").split("\t", 1) for line in file)

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
        epochs: int = 1,
        first_step: int = 0,
        input_context: tf.distribute.InputContext | None = None,
    ) -> tf.data.Dataset:
        """Streams training batches; see `pipeline.training_batches`.

        Args:
            batch_size: Largest number of sequences in a (global) batch.
            max_length: Rows have up to `max_length` + 1 items, the newest.
            seed: With the epoch it alone determines the order.
            fit_on: "train", or "all" to append the validation targets, with
                next_click the validation sessions.
            epochs: Number of epochs in the stream.
            first_step: Number of steps already taken in an earlier run.
            input_context: Of a worker that reads only its share of the
                records, as `distribute_datasets_from_function` gives it.

        Returns:
            Dataset of `TrainingBatch`.

        Raises:
            InputError: If there is nothing to train on or an argument is out
                of range.
        """
        shards = self._training_shards(fit_on)
        for name, value, least in (
            ("max_length", max_length, 1),
            ("epochs", epochs, 1),
            ("first_step", first_step, 0),
        ):
            if value < least:
                raise InputError(
                    f"`{name}` must be at least {least}. Received: {value}."
                )
        counts = [shard["records"] for shard in shards]
        size = sum(shard["bytes"] for shard in shards)
        return pipeline.training_batches(
            self._files(shards),
            counts,
            size / sum(counts),
            batch_size=batch_size,
            max_length=max_length,
            seed=seed,
            append_targets=(
                fit_on == "all" and not self.protocol.whole_sequences
            ),
            epochs=epochs,
            first_step=first_step,
            input_context=input_context,
        )

    def examples(self, split: str) -> int:
        """Returns the number of sequences in a split; with next_click clicks.

        Raises:
            InputError: If there is no such split or it is empty.
        """
        held = self._split(split)
        if self.protocol.whole_sequences:
            return held["tokens"] - held["records"]
        return held["records"]

    def describe(self, split: str) -> str:
        """Returns the protocol as it is printed with numbers of a split."""
        unseen = self._split(split).get("unseen_targets", 0)
        return self.protocol.describe(self.examples(split), unseen)

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
        if split not in ("validation", "test"):
            raise InputError(
                "The evaluation split must be validation or test. "
                f"Received: {split!r}."
                f"{nearest_names(split, ('validation', 'test'))}"
            )
        held = self._split(split)
        files = self._files(held["shards"])
        if self.protocol.whole_sequences:
            return clicks.click_batches(
                files,
                held["records"],
                self.examples(split),
                held["max_length"],
                batch_size=batch_size,
                num_items=self.num_items,
            )
        return pipeline.evaluation_batches(
            files,
            held["records"],
            batch_size=batch_size,
            exclude_history=self.protocol.exclude_history,
        )

    def _training_shards(self, fit_on: str) -> list[dict[str, Any]]:
        if fit_on not in ("train", "all"):
            raise InputError(
                f"`--fit_on` must be train or all. Received: {fit_on!r}."
            )
        shards = self._split("train")["shards"]
        if fit_on == "all" and self.protocol.whole_sequences:
            shards = shards + self.manifest.splits["validation"]["shards"]
        return shards

    def _split(self, name: str) -> dict[str, Any]:
        """Returns the manifest's entry of a split that has records."""
        split = self.manifest.splits.get(name)
        if not split or not split["records"]:
            raise InputError(
                f"{self.data_dir} has no {name} sequences. Prepare it with "
                "settings that leave some, or with more data."
            )
        return split

    def _files(self, shards: list[dict[str, Any]]) -> list[str]:
        return [str(self.data_dir / shard["file"]) for shard in shards]
