"""Settings of NARM."""

import dataclasses
from typing import ClassVar

from tfrec.models.configs.next_item import NextItemConfig
from tfrec.models.configs.space import Between, OneOf, Space
from tfrec.settings import setting


@dataclasses.dataclass(frozen=True)
class NARMConfig(NextItemConfig):
    """Settings of NARM; sizes and dropout as in the paper."""

    space: ClassVar[Space] = {
        **NextItemConfig.space,
        "gru_units": OneOf((64, 128, 256)),
        "dropout": Between(0.0, 0.6),
    }

    max_length: int = 30
    embedding_dim: int = 50
    embedding_dropout: float = 0.25
    item_bias: bool = False
    gru_units: int = setting(
        100, "Size of the GRU's state, and of the attention.", minimum=1
    )
    dropout: float = setting(
        0.5,
        "Dropout rate on the state and the attention beside it.",
        minimum=0.0,
        below=1.0,
    )
