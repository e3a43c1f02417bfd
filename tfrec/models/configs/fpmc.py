"""Settings of FPMC."""

import dataclasses
from typing import ClassVar

from tfrec.models.configs.next_item import NextItemConfig
from tfrec.models.configs.space import Between, Space
from tfrec.settings import setting


@dataclasses.dataclass(frozen=True)
class FPMCConfig(NextItemConfig):
    """Settings of FPMC; 64 factors as in ACVAE's comparison."""

    space: ClassVar[Space] = {
        **NextItemConfig.space,
        "weight_decay": Between(1e-5, 1e-1, log=True),
    }

    embedding_dim: int = 64
    embedding_deviation: float = setting(
        0.1,
        "Standard deviation of the embeddings before training.",
        above=0.0,
    )
    embedding_dropout: float = 0.0
    tie_weights: bool = False
    item_bias: bool = False
    loss: str = "bpr"

    def unused(self) -> dict[str, str]:
        """See base class."""
        why = "with FPMC, whose item vectors answer user and last item apart"
        return super().unused() | {"tie_weights": why}
