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
    }

    shrinkage: float = setting(
        20.0,
        "Sessions added to those of each item in the denominator of the "
        "cosine, so that rare items are not alike by chance.",
        minimum=0.0,
    )
    neighbours: int = setting(
        100, "Most similar items that are kept for each item.", minimum=1
    )
