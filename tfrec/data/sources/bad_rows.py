"""Rows of a raw log that cannot be read: stop at the first, or count them."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from tfrec.data.config import DataConfig
from tfrec.errors import InputError

EXAMPLES = 3
_SHOWN_CHARACTERS = 120


@dataclasses.dataclass
class _Reason:
    rows: int = 0
    examples: list[dict[str, str]] = dataclasses.field(default_factory=list)


class BadRows:
    """What was skipped, by what should have stood there.

    Args:
        config: Says whether rows may be skipped, and how many. None: not.

    Attributes:
        skip: Whether rows may be skipped.
        rows: Rows of the log, with those that were skipped.
    """

    def __init__(self, config: DataConfig | None = None):
        self.skip = config is not None and config.bad_rows == "skip"
        self._share = config.bad_rows_share if config else 0.0
        self._reasons: dict[str, _Reason] = {}
        self.rows = 0

    @property
    def skipped(self) -> int:
        """How many rows were skipped."""
        return sum(reason.rows for reason in self._reasons.values())

    def add(
        self,
        expected: str,
        rows: int = 1,
        examples: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Counts rows.

        Args:
            expected: What should have stood there.
            rows: How many.
            examples: Place and text of some of them; the first few are kept.
        """
        reason = self._reasons.setdefault(expected, _Reason())
        reason.rows += rows
        left = EXAMPLES - len(reason.examples)
        reason.examples += [
            {"place": place, "text": shown(text)}
            for place, text in examples[: max(0, left)]
        ]

    def check(self) -> None:
        """Raises `InputError` if more rows were skipped than may be."""
        if self.skipped > self._share * self.rows:
            raise InputError(
                f"{self} That is more than `--bad_rows_share`={self._share:g}."
            )

    def summary(self) -> dict[str, Any]:
        """Returns what a manifest says of it; empty if nothing was skipped."""
        if not self._reasons:
            return {}
        reasons = {
            expected: dataclasses.asdict(reason)
            for expected, reason in self._reasons.items()
        }
        return {"rows": self.rows, "skipped": self.skipped, "expected": reasons}

    def __str__(self) -> str:
        return describe(self.summary())


def merged(summaries: Iterable[dict[str, Any]], good: int) -> dict[str, Any]:
    """Adds up what was skipped of several parts of a log.

    Args:
        summaries: What `BadRows.summary` returned of each, in their order.
        good: Rows of all parts that were not skipped.

    Returns:
        What it returns of them as one log.
    """
    total = BadRows()
    for summary in summaries:
        for expected, reason in summary.get("expected", {}).items():
            examples = [(e["place"], e["text"]) for e in reason["examples"]]
            total.add(expected, reason["rows"], examples)
    total.rows = good + total.skipped
    return total.summary()


def describe(summary: dict[str, Any]) -> str:
    """Says in a sentence what a summary counts.

    Args:
        summary: What `BadRows.summary` returned, not empty.
    """
    rows, skipped = summary["rows"], summary["skipped"]
    reasons = sorted(summary["expected"].items(), key=lambda r: -r[1]["rows"])
    parts = []
    for expected, reason in reasons:
        first = reason["examples"][0]
        parts.append(
            f"{reason['rows']:,} without {expected} ({first['place']}: "
            f"{first['text']!r})"
        )
    return (
        f"Skipped {skipped:,} of {rows:,} rows ({skipped / max(rows, 1):.2%}) "
        f"that cannot be read: {'; '.join(parts)}."
    )


def shown(text: str) -> str:
    """Returns a text, cut to what a message shows of it."""
    if len(text) <= _SHOWN_CHARACTERS:
        return text
    return text[:_SHOWN_CHARACTERS] + "..."
