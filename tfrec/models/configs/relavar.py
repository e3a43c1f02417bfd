"""Settings of ReLaVaR."""

import dataclasses
from typing import ClassVar

from tfrec.models.configs.per_position import PerPositionConfig
from tfrec.models.configs.space import Between, Space
from tfrec.models.configs.variational import VariationalConfig
from tfrec.settings import setting


@dataclasses.dataclass(frozen=True)
class ReLaVaRConfig(PerPositionConfig):
    """Settings of ReLaVaR; sizes as in VASER's table of session models.

    The paper's bound is --kl_weight=1, with which the posterior collapses. It
    averages draws at prediction, --posterior_samples.
    """

    space: ClassVar[Space] = {
        **VariationalConfig.space,
        "dropout": Between(0.0, 0.6),
        "kl_weight": Between(1e-4, 1.0, log=True),
    }

    max_length: int = 30
    embedding_dim: int = 50
    embedding_dropout: float = 0.25
    encoder: str = setting(
        "none", "ReLaVaR's posterior reads the items alone.", choices=("none",)
    )
    posterior: str = setting(
        "recurrent", "ReLaVaR has one posterior.", choices=("recurrent",)
    )
    kl_weight: float = 0.001
