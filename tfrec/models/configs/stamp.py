"""Settings of STAMP."""

import dataclasses
from typing import ClassVar

from tfrec.models.configs.next_item import NextItemConfig
from tfrec.models.configs.space import Between, Space
from tfrec.settings import setting


@dataclasses.dataclass(frozen=True)
class STAMPConfig(NextItemConfig):
    """Settings of STAMP; the paper's, with the mean as in the authors' code."""

    space: ClassVar[Space] = {
        **NextItemConfig.space,
        "decoder_dropout": Between(0.0, 0.6),
    }

    max_length: int = 30
    learning_rate: float = 3e-3
    embedding_dropout: float = 0.0
    item_bias: bool = False
    add_mean: bool = setting(
        True,
        "Add the mean of a session to what attention makes of it, as the "
        "authors' code does and the paper does not.",
    )
