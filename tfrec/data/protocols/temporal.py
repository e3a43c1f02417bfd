"""`temporal`: one moment for all users; what each does after it is the test."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tfrec.data import times
from tfrec.data.protocols.base import Protocol
from tfrec.errors import InputError

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from tfrec.data.filters import Step, Store

# Of logs with times.
CUTS = ("test_from", "test_quantile")


class Temporal(Protocol):
    """The log is cut at one moment: training before, test from then on.

    The history of a test user is all that happened before the cut, the targets
    are the set of items from the cut on. Events at the very moment of the cut
    are all after it. In the same way the validation is cut from the training
    period: its newest `validation_fraction`.

    Nothing of the future enters the training. The vocabulary, and the filters
    that count (`min_item_count`, `min_sequence_length`,
    `truncate_before_split`), know only what is before the test: a user is kept
    for what he did until then, and of the test nothing is dropped for being
    rare. Filters of single events (`rating_above`, `since`,
    `drop_duplicates`) hold for both. An item that is not in the vocabulary is
    a target that can only be missed. Users without an event before the cut are
    not evaluated; the steps of the preparation count them.

    Validation and training share vocabulary and filters, as the validation
    belongs to the training with `fit_on=all`. A sequence that has fewer than
    two items before the validation, and two before the test, is trained on
    only then. It stands in the split `late`, and is no user: what was not
    trained on with `fit_on=train` has no index.
    """

    name = "temporal"
    own_settings = ("validation_fraction", "rank_history", *CUTS)
    dates = True
    splits = ("train", "late", "validation", "test")

    @property
    def no_test(self) -> str:
        config = self.config
        cut = config.test_from or config.test_quantile < 1
        return "" if cut else "--test_quantile=1"

    def check(self) -> None:
        self._check_times("to divide it by")
        config = self.config
        if not config.test_from:
            return
        try:
            times.microseconds(config.test_from)
        except ValueError:
            raise InputError(
                "`--test_from` must be a date or time in UTC such as "
                "2018-01-31 or 2018-01-31 12:00:00. Received: "
                f"{config.test_from!r}."
            ) from None

    def unused(self) -> dict[str, str]:
        if not self.config.test_from:
            return {}
        return {
            "test_quantile": "with `--test_from`, which says where the test "
            "begins"
        }

    def steps(
        self, log: "ir.Table", day: int | None, store: "Store"
    ) -> Iterator["Step"]:
        from tfrec.data import filters
        from tfrec.data.protocols import time_cuts

        for step in filters.events(log, self.config):
            yield step
        yield from time_cuts.steps(
            step.table, self.config, self.shortest, day, store
        )

    def training_splits(self, fit_on: str) -> tuple[str, ...]:
        return ("train", "late") if fit_on == "all" else ("train",)

    @property
    def title(self) -> str:
        config = self.config
        return f"{self.name} {config.test_from or f'{config.test_quantile:g}'}"
