"""Settings of RecBLR."""

import dataclasses
from typing import ClassVar

from tfrec.models.configs.next_item import NextItemConfig
from tfrec.models.configs.space import Between, OneOf, Space
from tfrec.settings import setting


@dataclasses.dataclass(frozen=True)
class RecBLRConfig(NextItemConfig):
    """Settings of RecBLR; sizes and dropout are the authors' for ML-1M."""

    space: ClassVar[Space] = {
        **NextItemConfig.space,
        "dropout": Between(0.0, 0.6),
        "target_window": Between(1, 8),
        "min_decay": OneOf((0.3, 0.9)),
    }

    embedding_dim: int = 64
    embedding_dropout: float = 0.2
    item_bias: bool = False
    blocks: int = setting(2, "Blocks of a gated recurrence.", minimum=1)
    expansion: int = setting(
        2, "Units of a recurrence, in sizes of an embedding.", minimum=1
    )
    kernel_size: int = setting(
        4, "Positions that the causal convolution spans.", minimum=1
    )
    min_decay: float = setting(
        0.9,
        "What the unit of a recurrence that forgets soonest keeps in a step "
        "before training; the one that forgets last keeps .999.",
        above=0.0,
        below=0.999,
    )
    hidden_units: int = setting(
        0,
        "Width of the hidden layer of a block; 0: four times an embedding.",
        minimum=0,
    )
    dropout: float = setting(
        0.2,
        "Dropout rate on hidden layers and on what a part of a block adds.",
        minimum=0.0,
        below=1.0,
    )
