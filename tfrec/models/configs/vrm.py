"""Settings of VRM."""

import dataclasses
from typing import ClassVar

from tfrec.models.configs.space import Between, Space
from tfrec.models.configs.variational import VariationalConfig
from tfrec.settings import setting


@dataclasses.dataclass(frozen=True)
class VRMConfig(VariationalConfig):
    """Settings of VRM; sizes as in VASER's table of session models."""

    space: ClassVar[Space] = {
        **VariationalConfig.space,
        "decoder_dropout": Between(0.0, 0.6),
        "kl_weight": Between(1e-4, 1.0, log=True),
    }

    max_length: int = 30
    embedding_dim: int = 50
    embedding_dropout: float = 0.25
    gru_units: int = setting(
        100, "Size of the state of encoder and decoder.", minimum=1
    )
    decoder_dropout: float = 0.5
    kl_weight: float = 1.0
    anneal_steps: int = 1000
