"""`leave_one_out`: the last item of each sequence."""

from typing import TYPE_CHECKING

from tfrec.data.protocols.base import Protocol

if TYPE_CHECKING:
    import ibis.expr.types as ir


class LeaveOneOut(Protocol):
    """Target: the last item of three or more; for validation the one before."""

    name = "leave_one_out"
    own_settings = ("rank_history",)

    def parts(self, rows: "ir.Table") -> "ir.IntegerValue":
        import ibis

        from tfrec.data.protocols import division

        test = (rows.length >= 3).ifelse(1, 0)
        return division.tail_parts(rows, rows.length - test, ibis.literal(1))
