"""Settings of SVAE."""

import dataclasses
from typing import ClassVar

from tfrec.models.configs.per_position import PerPositionConfig
from tfrec.models.configs.space import Between, OneOf, Space
from tfrec.settings import setting


@dataclasses.dataclass(frozen=True)
class SVAEConfig(PerPositionConfig):
    """Settings of SVAE; sizes as in the authors' code, without dropout.

    Their beta, at most 0.023, weighs a KL averaged over positions beside a
    likelihood summed over them. Here both are sums: it is 0.023 / length.
    """

    space: ClassVar[Space] = {
        **PerPositionConfig.space,
        "tie_weights": OneOf((True, False)),
        "kl_weight": Between(1e-4, 1e-1, log=True),
    }

    embedding_dim: int = 256
    embedding_dropout: float = 0.0
    tie_weights: bool = False
    start_at_popularity: bool = True
    encoder: str = setting("gru", "SVAE has one encoder.", choices=("gru",))
    gru_units: int = 200
    encoder_units: int = setting(
        150, "Width of the tanh layer behind the GRU.", minimum=1
    )
    latent_dim: int = 64
    dropout: float = 0.0
    decoder: str = "tanh"
    decoder_units: int = 150
    target_window: int = 4
    kl_weight: float = 0.0005
    anneal_steps: int = 1000
    weight_decay: float = 5e-3
