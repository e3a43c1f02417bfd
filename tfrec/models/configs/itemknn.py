"""Settings of Item-KNN."""

import dataclasses
from typing import ClassVar

from tfrec.models.configs.cooccurrence import CooccurrenceConfig
from tfrec.models.configs.space import Between, OneOf, Space
from tfrec.settings import setting


@dataclasses.dataclass(frozen=True)
class ItemKNNConfig(CooccurrenceConfig):
    """Settings of Item-KNN."""

    space: ClassVar[Space] = {
        "shrinkage": Between(0.0, 100.0),
        "neighbours": OneOf((20, 50, 100, 200, 500)),
        "history_decay": Between(0.0, 1.0),
        "row_power": Between(0.0, 1.0),
        "item_power": Between(0.0, 0.5),
        "sequence_power": Between(0.0, 0.5),
    }

    shrinkage: float = setting(
        20.0,
        "Sequences added to those of each item in the denominator, so that "
        "rare items are not alike by chance.",
        minimum=0.0,
    )
    neighbours: int = setting(
        100, "Most similar items that are kept for each item.", minimum=1
    )
    history_decay: float = setting(
        0.0,
        "Weight of an item of the history, for 1 of the one after it. 0: the "
        "last item alone is read, as for sessions; 1: all count the same. "
        "Items of a thousandth or less are not read. A batch takes some 80 "
        "bytes for each item read and neighbour.",
        minimum=0.0,
        maximum=1.0,
    )
    row_power: float = setting(
        0.5,
        "A number of sequences with both items is divided by that of the "
        "history's item to this power. Both powers 0.5: the cosine.",
        minimum=0.0,
        maximum=1.0,
    )
    item_power: float = setting(
        0.5,
        "And by that of the item that is recommended to this power: the "
        "larger, the less popular items gain.",
        minimum=0.0,
        maximum=1.0,
    )
    sequence_power: float = setting(
        0.0,
        "A sequence of n different items counts 1 / n to this power: two of "
        "many say less than two of few.",
        minimum=0.0,
        maximum=1.0,
    )
