"""Settings of VASER."""

import dataclasses
from typing import ClassVar

from tfrec.models.configs.per_position import PerPositionConfig
from tfrec.models.configs.space import Between, Space


@dataclasses.dataclass(frozen=True)
class VASERConfig(PerPositionConfig):
    """Settings of VASER; sizes as in section 4.4, see docs/differences.md.

    With the paper's --kl_weight=0.2 the posterior collapses.
    """

    space: ClassVar[Space] = {
        **PerPositionConfig.space,
        "kl_weight": Between(1e-4, 0.2, log=True),
    }

    max_length: int = 30
    embedding_dim: int = 50
    embedding_dropout: float = 0.25
    encoder: str = "attentive_gru"
    posterior: str = "flow"
    kl_weight: float = 0.0005
    anneal_steps: int = 1000
