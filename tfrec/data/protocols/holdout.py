"""`holdout`: the last part of each sequence (ACVAE's protocol)."""

from typing import TYPE_CHECKING

from tfrec.data.protocols.base import Protocol

if TYPE_CHECKING:
    import ibis.expr.types as ir


class Holdout(Protocol):
    """Targets: the set of the last int(test_fraction * n) items of n.

    Those of the validation are the last int(validation_fraction * m) of the m
    items before.
    """

    name = "holdout"
    own_settings = ("test_fraction", "validation_fraction", "rank_history")

    @property
    def title(self) -> str:
        return f"{self.name} {self.config.test_fraction:g}"

    @property
    def no_test(self) -> str:
        return "" if self.config.test_fraction else "--test_fraction=0"

    def parts(self, rows: "ir.Table") -> "ir.IntegerValue":
        from tfrec.data.protocols import division

        test = division.share(rows.length, self.config.test_fraction)
        training = rows.length - test
        validation = division.share(training, self.config.validation_fraction)
        return division.tail_parts(rows, training, validation)
