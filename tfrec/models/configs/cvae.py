"""Settings of CVAE."""

import dataclasses

from tfrec.models.configs.per_position import PerPositionConfig


@dataclasses.dataclass(frozen=True)
class CVAEConfig(PerPositionConfig):
    """Settings of CVAE.

    Prior and posterior start at the scale 1: with a small one, what their
    means differ by would cost hundreds of nats.
    """

    prior: str = "learned"
    posterior: str = "flow"
    flows: int = 4
    flow_parameters: str = "amortized"
    initial_scale: float = 1.0
    kl_weight: float = 1.0
