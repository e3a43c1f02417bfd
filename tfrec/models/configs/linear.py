"""Settings of every linear model of items on items."""

import dataclasses
from typing import ClassVar

from tfrec.models.configs.cooccurrence import CooccurrenceConfig
from tfrec.models.configs.space import Between, Space
from tfrec.settings import setting


@dataclasses.dataclass(frozen=True)
class LinearConfig(CooccurrenceConfig):
    """Settings of every linear model of items on items."""

    space: ClassVar[Space] = {
        "l2_weight": Between(1.0, 5000.0, log=True),
    }

    l2_weight: float = setting(
        500.0,
        "Weight lambda of the squared weights between items, beside squared "
        "errors that are summed over sequences.",
        above=0.0,
    )
    max_items: int = setting(
        20_000,
        "Largest vocabulary that is taken on. There is a weight for each pair "
        "of items: to solve for them takes 16 bytes a pair, with SLIST 20 "
        "(6.4 and 8 GB for 20,000 items), and time with the cube of the items; "
        "the model then has 4 bytes a pair.",
        minimum=1,
    )
