"""Settings of ACVAE."""

import dataclasses
from typing import ClassVar

from tfrec.models.configs.per_position import PerPositionConfig
from tfrec.models.configs.space import OneOf, Space


@dataclasses.dataclass(frozen=True)
class ACVAEConfig(PerPositionConfig):
    """Settings of ACVAE; sizes as in section 4.3, see docs/differences.md."""

    space: ClassVar[Space] = {
        **PerPositionConfig.space,
        "tie_weights": OneOf((True, False)),
    }

    embedding_dim: int = 128
    tie_weights: bool = False
    start_at_popularity: bool = True
    posterior: str = "implicit"
    latent_dim: int = 64
    decoder: str = "tanh"
    decoder_units: int = 128
    adversarial_weight: float = 0.001
    contrastive_weight: float = 0.1
    weight_decay: float = 1e-2
