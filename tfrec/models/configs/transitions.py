"""Settings of Transitions."""

import dataclasses
from typing import ClassVar

from tfrec.models.configs.cooccurrence import CooccurrenceConfig
from tfrec.models.configs.space import Between, Space
from tfrec.settings import setting


@dataclasses.dataclass(frozen=True)
class TransitionsConfig(CooccurrenceConfig):
    """Settings of Transitions."""

    space: ClassVar[Space] = {
        "window": Between(1, 40),
        "pair_decay": Between(0.3, 1.0),
        "history_decay": Between(0.2, 0.95),
        "row_power": Between(0.0, 1.0),
        "item_power": Between(0.0, 0.5),
    }

    window: int = setting(
        20, "Items after an item that count as following it.", minimum=1
    )
    pair_decay: float = setting(
        1.0,
        "Weight of an item in --window, for 1 of the one before it.",
        above=0.0,
        maximum=1.0,
    )
    history_decay: float = setting(
        0.87,
        "Weight of an item of the history, for 1 of the one after it.",
        above=0.0,
        maximum=1.0,
    )
    row_power: float = setting(
        0.3,
        "A count is divided by the sum of its row, what followed the same "
        "item, to this power; with 1 it is a share.",
        minimum=0.0,
        maximum=1.0,
    )
    item_power: float = setting(
        0.25,
        "And by the sum of its column, what the same item followed, to this "
        "power: the larger, the less popular items gain.",
        minimum=0.0,
        maximum=1.0,
    )
