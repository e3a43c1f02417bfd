"""Settings of every model with a latent whose density is known."""

import dataclasses
from typing import ClassVar

from tfrec.models.configs.next_item import NextItemConfig
from tfrec.models.configs.space import OneOf, Space
from tfrec.settings import setting


@dataclasses.dataclass(frozen=True)
class VariationalConfig(NextItemConfig):
    """Settings of the latent and of its KL divergence to the prior."""

    space: ClassVar[Space] = {
        **NextItemConfig.space,
        "latent_dim": OneOf((64, 128)),
    }

    latent_dim: int = setting(100, "Size of the latent z.", minimum=1)
    initial_scale: float = setting(
        0.1,
        "Scale sigma of the posterior when training starts, unless it is "
        "implicit. The prior's is 1; below it the draws are quieter and the KL "
        "divergence begins higher. Of the prior where it is learned; the "
        "posterior then starts there.",
        above=0.0,
    )
    kl_weight: float = setting(
        0.0,
        "Weight beta of the KL divergence to the prior, once annealed, for a "
        "posterior whose density is known. The loss is a mean over the "
        "--target_window, so that 1 / window makes it a bound for all its "
        "items together.",
        minimum=0.0,
    )
    anneal_steps: int = setting(
        0, "Steps over which beta grows from 0 to its weight.", minimum=0
    )
