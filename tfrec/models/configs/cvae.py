"""Settings of CVAE."""

import dataclasses
from typing import ClassVar

from tfrec.models.configs.per_position import PerPositionConfig
from tfrec.models.configs.space import Between, Space


@dataclasses.dataclass(frozen=True)
class CVAEConfig(PerPositionConfig):
    """Settings of CVAE."""

    space: ClassVar[Space] = {
        **PerPositionConfig.space,
        "kl_weight": Between(0.1, 1.0, log=True),
    }

    prior: str = "learned"
    posterior: str = "flow"
    flows: int = 4
    flow_parameters: str = "amortized"
    kl_weight: float = 1.0
