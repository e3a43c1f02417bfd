"""Which values of its settings a model is tuned over."""

from typing import Any, NamedTuple


class Between(NamedTuple):
    """A number between two, drawn evenly.

    Attributes:
        low: The lowest; an int draws whole numbers.
        high: The highest.
        log: Whether its logarithm is drawn evenly instead.
    """

    low: float
    high: float
    log: bool = False

    def __str__(self) -> str:
        """For example "0.001 to 0.01 (log)"."""
        return f"{self.low} to {self.high}{' (log)' if self.log else ''}"


class OneOf(NamedTuple):
    """One of some values, each as likely."""

    values: tuple[Any, ...]

    def __str__(self) -> str:
        """For example "64, 128 or 256"."""
        *most, last = map(str, self.values)
        return f"{', '.join(most)} or {last}"


# By the name of the setting.
Space = dict[str, Between | OneOf]
