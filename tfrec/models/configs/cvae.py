"""Settings of CVAE."""

import dataclasses

from tfrec.models.configs.per_position import PerPositionConfig


@dataclasses.dataclass(frozen=True)
class CVAEConfig(PerPositionConfig):
    """Settings of CVAE."""

    prior: str = "learned"
    posterior: str = "flow"
    flows: int = 4
    flow_parameters: str = "amortized"
    kl_weight: float = 1.0
