"""Settings of SLIST."""

import dataclasses
from typing import ClassVar

from tfrec.models.configs.linear import LinearConfig
from tfrec.models.configs.space import Between, OneOf, Space
from tfrec.settings import setting


@dataclasses.dataclass(frozen=True)
class SLISTConfig(LinearConfig):
    """Settings of SLIST; as in the authors' file for YOOCHOOSE 1/64.

    There a decay is exp(-1 / delta), with delta = 1, and the history of SLIT is
    the last click alone.
    """

    space: ClassVar[Space] = {
        **LinearConfig.space,
        "whole_share": Between(0.0, 0.9),
        "target_decay": Between(0.3, 1.0),
        "score_decay": Between(0.3, 1.0),
        "normalize_inputs": OneOf((True, False)),
    }

    l2_weight: float = 10.0
    whole_share: float = setting(
        0.4,
        "Share alpha of SLIS, whole sequences that explain themselves, in the "
        "objective; the rest is SLIT's, histories that explain what follows.",
        minimum=0.0,
        maximum=1.0,
    )
    history_decay: float = setting(
        0.0,
        "SLIT: weight of an item of the history for 1 of the one after it; 0 "
        "leaves the last item alone.",
        minimum=0.0,
        maximum=1.0,
    )
    target_window: int = setting(
        1_000_000,
        "SLIT: how many of the next items a history explains.",
        minimum=1,
    )
    target_decay: float = setting(
        0.367879,
        "SLIT: weight in --target_window of an item, for 1 of the one before "
        "it.",
        above=0.0,
        maximum=1.0,
    )
    score_decay: float = setting(
        0.367879,
        "Weight of an item of the history in a score, for 1 of the one after "
        "it.",
        above=0.0,
        maximum=1.0,
    )
    normalize_inputs: bool = setting(
        True,
        "Divide what explains by its sum, as the authors' code does and the "
        "paper does not: long histories then count as much as short ones.",
    )
    diagonal_bound: float = setting(
        10.0,
        "Largest weight of an item for itself, xi of SLIS: 0 for items that "
        "never come again. The authors' 10 bounds nothing.",
        minimum=0.0,
    )

    def unused(self) -> dict[str, str]:
        """See base class."""
        if self.whole_share < 1:
            return super().unused()
        names = ("history_decay", "target_window", "target_decay")
        return super().unused() | dict.fromkeys(names, "with --whole_share=1")
