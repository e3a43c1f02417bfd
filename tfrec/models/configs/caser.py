"""Settings of Caser."""

import dataclasses
from typing import ClassVar

from tfrec.models.configs.next_item import NextItemConfig
from tfrec.models.configs.space import Between, Space
from tfrec.settings import setting


@dataclasses.dataclass(frozen=True)
class CaserConfig(NextItemConfig):
    """Settings of Caser; those of the authors' code for MovieLens 1M."""

    space: ClassVar[Space] = {
        **NextItemConfig.space,
        "window": Between(3, 9),
        "target_window": Between(1, 3),
        "dropout": Between(0.0, 0.6),
    }

    embedding_dim: int = 50
    embedding_deviation: float = setting(
        0.1,
        "Standard deviation of the embeddings before training.",
        above=0.0,
    )
    embedding_dropout: float = 0.0
    tie_weights: bool = False
    window: int = setting(
        5, "Last items (L) that the filters see together.", minimum=1
    )
    horizontal_filters: int = setting(
        16, "Horizontal filters of each height from 1 to --window.", minimum=1
    )
    vertical_filters: int = setting(4, "Vertical filters.", minimum=1)
    dropout: float = setting(
        0.5,
        "Dropout rate on what the filters find.",
        minimum=0.0,
        below=1.0,
    )
    target_window: int = 3
    loss: str = "binary"
    negatives: int = 3

    def unused(self) -> dict[str, str]:
        """See base class."""
        why = "with Caser, whose item vectors answer filters and user apart"
        return super().unused() | {"tie_weights": why}
