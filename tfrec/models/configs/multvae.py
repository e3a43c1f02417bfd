"""Settings of Mult-VAE."""

import dataclasses
from typing import ClassVar

from tfrec.models.configs.sets import SetVAEConfig
from tfrec.models.configs.space import Between, Space
from tfrec.settings import setting


@dataclasses.dataclass(frozen=True)
class MultVAEConfig(SetVAEConfig):
    """Settings of Mult-VAE, as in the authors' code.

    There beta grows by 1 / 200,000 a step and stops at 0.2: after 40,000 steps.
    A small data set never has so many: give it --anneal_epochs.
    """

    space: ClassVar[Space] = {
        **SetVAEConfig.space,
        "kl_weight": Between(0.05, 1.0, log=True),
    }

    kl_weight: float = setting(
        0.2, "Weight beta of the KL divergence, once annealed.", minimum=0.0
    )
    anneal_steps: int = setting(
        40_000,
        "Steps over which beta grows from 0 to its weight.",
        minimum=0,
    )
    anneal_epochs: float = setting(
        0.0,
        "If positive, epochs over which beta grows, in place of "
        "--anneal_steps.",
        minimum=0.0,
    )

    def unused(self) -> dict[str, str]:
        """See base class."""
        unused = super().unused()
        if self.anneal_epochs:
            unused["anneal_steps"] = (
                f"with --anneal_epochs={self.anneal_epochs:g}"
            )
        return unused
