"""What a protocol decides, and what most of them have in common."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from tfrec.errors import InputError

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa
    import tensorflow as tf

    from tfrec.data.config import DataConfig
    from tfrec.data.filters import Step, Store

# Datasets that come with a file of test sessions, and without times.
WITH_TEST = ("sessions",)
_WITHOUT_TIMES = ("sequences", "sessions", "synthetic")


class Protocol:
    """How a log is divided, evaluated and described.

    This class has what the protocols of users share: a sequence is a user, who
    has a history and, after it, targets; the items of the history are not
    ranked, unless `--rank_history` says so. A subclass says what is history
    and what is target, by `parts` or by `steps`.

    Args:
        config: Settings of the preparation, checked by `check`.

    Attributes:
        name: The value of `--protocol`.
        own_settings: The settings of `DataConfig` that this protocol reads,
            and that other protocols may not know.
        has_users: Whether the sequences that are trained on are users, which
            have an index.
        least_length: Fewest interactions of a sequence that is of use.
        dates: Whether `timestamp` must be a time whose unit is known.
        in_order: Whether the sequences of a log can be in the order of time.
        splits: The splits that are written.
    """

    name: ClassVar[str]
    own_settings: ClassVar[tuple[str, ...]] = ()
    has_users: ClassVar[bool] = True
    least_length: ClassVar[int] = 1
    dates: ClassVar[bool] = False
    in_order: ClassVar[bool] = False
    splits: ClassVar[tuple[str, ...]] = ("train", "validation", "test")

    def __init__(self, config: "DataConfig"):
        self.config = config

    @property
    def exclude_history(self) -> bool:
        """Whether the items of the history are not ranked."""
        return not self.config.rank_history

    @property
    def no_test(self) -> str:
        """The flag by which nothing is held out for the test; "" with one."""
        return ""

    def check(self) -> None:
        """Raises `InputError` if the dataset or a setting does not fit."""
        if self.config.dataset in WITH_TEST:
            raise InputError(
                "`--protocol` must be next_click with --dataset="
                f"{self.config.dataset}, which has a file of test sessions. "
                f"Received: {self.name}."
            )

    def unused(self) -> dict[str, str]:
        """Returns what means nothing beside other settings; see `Settings`."""
        return {}

    def _check_times(self, why: str, known: Sequence[str] = ()) -> None:
        """Raises if the dataset has no times.

        Args:
            why: What they are for, to end the message.
            known: Datasets that need none.
        """
        dataset = self.config.dataset
        if dataset in _WITHOUT_TIMES and dataset not in known:
            raise InputError(
                f"`--protocol` cannot be {self.name} with --dataset={dataset}, "
                f"which has no times {why}."
            )

    # Preparation.

    def steps(
        self, log: "ir.Table", day: int | None, store: "Store"
    ) -> Iterator["Step"]:
        """Yields the raw log, then what each filter and each cut leaves.

        Args:
            log: What `Source.read` returned.
            day: What `timestamp` counts in a day, if that is known.
            store: Computes a table once for all that is made from it.

        Yields:
            Steps. The table of the last has the column `part` if the log is
            divided by then.
        """
        from tfrec.data import filters

        for step in filters.events(log, self.config):
            yield step
        yield from filters.frequencies(
            step.table, self.config, self.shortest, store
        )

    @property
    def shortest(self) -> int:
        """Fewest interactions of a sequence that is kept."""
        return max(self.least_length, self.config.min_sequence_length)

    def parts(self, rows: "ir.Table") -> "ir.IntegerValue":
        """Returns the part that each row belongs to, int8; see `parts`.

        Args:
            rows: Columns `rank`, the row's place in its sequence from 0,
                `length`, the number of items of the sequence, and `part` if
                `steps` divided the log.
        """
        return rows.part

    def group(
        self, rows: "pa.RecordBatch", users: int
    ) -> dict[str, "pa.RecordBatch"]:
        """Makes the records of whole sequences.

        Args:
            rows: What `examples.order_rows` returns, in Arrow.
            users: Number of users so far; the next has this index plus 1.

        Returns:
            For each of `splits`, `id`, `items`, `user` and, where sequences
            are divided, `targets`.
        """
        from tfrec.data import examples

        return examples.divided(rows, users)

    def count_targets(
        self, records: "pa.RecordBatch", num_items: int
    ) -> dict[str, int]:
        """Counts what is to be predicted; see `examples.count_targets`."""
        from tfrec.data import examples

        return examples.count_targets(records, num_items)

    # Training and evaluation.

    def training_splits(self, fit_on: str) -> tuple[str, ...]:
        """Returns the splits to train on.

        Args:
            fit_on: "train", or "all" to train on the validation as well.
        """
        return ("train",)

    def appends_targets(self, fit_on: str) -> bool:
        """Whether the validation targets follow the items of a record."""
        return fit_on == "all"

    def evaluation(
        self,
        files: Sequence[str],
        split: dict[str, Any],
        batch_size: int,
        num_items: int,
    ) -> "tf.data.Dataset":
        """Streams an evaluation split.

        Args:
            files: Paths of its shards.
            split: What the manifest says of it.
            batch_size: Largest number of rows of a batch.
            num_items: Size of the vocabulary.

        Returns:
            Dataset of `EvaluationBatch`.
        """
        from tfrec.data import pipeline

        return pipeline.evaluation_batches(
            files,
            split["records"],
            batch_size=batch_size,
            num_items=num_items,
            exclude_history=self.exclude_history,
        )

    # Words and numbers.

    @property
    def title(self) -> str:
        """The protocol with its main setting: "holdout 0.2"."""
        return self.name

    def examples(self, split: dict[str, Any]) -> int:
        """Returns how many examples a split has: rows of its batches."""
        return split["records"]

    def describe(self, split: dict[str, Any]) -> str:
        """Returns what stands with every number of a split.

        For example "holdout 0.2, history excluded, 6034 users".

        Args:
            split: What the manifest says of it.
        """
        text = f"{self.ranking}, {self.examples(split)} users"
        if unseen := split.get("unseen_targets"):
            text += (
                f", {unseen} of {split['targets']} targets never seen in "
                "training"
            )
        return text

    @property
    def ranking(self) -> str:
        """What is ranked: "holdout 0.2, history excluded"."""
        history = "excluded" if self.exclude_history else "ranked"
        return f"{self.title}, history {history}"

    def columns(self, split: dict[str, Any]) -> dict[str, int]:
        """Returns what the card says of a split beside its size."""
        return {}
