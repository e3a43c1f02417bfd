"""`next_click`: whole sessions, of which every click is predicted (VASER's)."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tfrec.data.protocols.base import WITH_TEST, Protocol
from tfrec.errors import InputError

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa
    import tensorflow as tf

    from tfrec.data.filters import Step, Store

# Of sessions with times; a test that comes with the log needs none.
CUTS = (
    "test_days",
    "training_fraction",
    "training_fraction_of",
    "unseen_items",
)


class NextClick(Protocol):
    """Whole sessions are held out; each click but the first is an example.

    The history is what came before it in the session, and is always ranked: a
    click can repeat an earlier one. A session stands for itself, so there are
    no users.
    """

    name = "next_click"
    own_settings = ("validation_fraction", "repeat_filters", *CUTS)
    has_users = False
    least_length = 2  # In a session of one click there is none to predict.
    dates = True
    in_order = True
    exclude_history = False

    @property
    def no_test(self) -> str:
        with_test = self.config.dataset in WITH_TEST or self.config.test_days
        return "" if with_test else "--test_days=0"

    def unused(self) -> dict[str, str]:
        if not self.no_test:
            return {}
        return {"unseen_items": f"with `{self.no_test}`, which has no test"}

    def check(self) -> None:
        self._check_times("to tell the newest sequences by", ("sessions",))
        if self.config.truncate_before_split == 1:
            raise InputError(
                "`--truncate_before_split` must be 0 or at least 2 with "
                "--protocol=next_click. Received: 1, which leaves no click to "
                "predict."
            )

    def steps(
        self, log: "ir.Table", day: int | None, store: "Store"
    ) -> Iterator["Step"]:
        from tfrec.data import filters
        from tfrec.data.protocols import session_cuts

        for step in filters.events(log, self.config):
            yield step
        if self.config.min_item_count > 1:
            # As the published preparations of YOOCHOOSE.
            step = filters.long_enough(step.table, self.shortest, store)
            yield step
        for left in filters.frequencies(
            step.table, self.config, self.shortest, store
        ):
            yield left
        yield from session_cuts.steps(
            left.table, self.config, self.shortest, day, store
        )

    def group(
        self, rows: "pa.RecordBatch", users: int
    ) -> dict[str, "pa.RecordBatch"]:
        from tfrec.data import examples

        return examples.whole(rows)

    def count_targets(
        self, records: "pa.RecordBatch", num_items: int
    ) -> dict[str, int]:
        from tfrec.data import examples

        return examples.count_clicks(records, num_items)

    def training_splits(self, fit_on: str) -> tuple[str, ...]:
        return ("train", "validation") if fit_on == "all" else ("train",)

    def appends_targets(self, fit_on: str) -> bool:
        return False

    def evaluation(
        self,
        files: Sequence[str],
        split: dict[str, Any],
        batch_size: int,
        num_items: int,
    ) -> "tf.data.Dataset":
        from tfrec.data import clicks

        return clicks.click_batches(
            files,
            split["records"],
            self.examples(split),
            split["max_length"],
            batch_size=batch_size,
            num_items=num_items,
        )

    def examples(self, split: dict[str, Any]) -> int:
        return split["tokens"] - split["records"]

    def describe(self, split: dict[str, Any]) -> str:
        text = f"{self.ranking}, {self.examples(split)} clicks"
        unseen = split.get("unseen_targets")
        return text + (f", {unseen} never seen in training" if unseen else "")

    def columns(self, split: dict[str, Any]) -> dict[str, int]:
        return {"to predict": self.examples(split)}
