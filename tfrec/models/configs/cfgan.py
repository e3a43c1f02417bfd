"""Settings of CFGAN."""

import dataclasses
from typing import ClassVar

from tfrec.models.configs.sets import SetConfig
from tfrec.models.configs.space import Between, Space
from tfrec.settings import setting


@dataclasses.dataclass(frozen=True)
class CFGANConfig(SetConfig):
    """Settings of CFGAN; as in the authors' code for MovieLens-100K."""

    space: ClassVar[Space] = {
        **SetConfig.space,
        "zero_weight": Between(0.01, 0.3, log=True),
        "zero_share": Between(0.3, 0.9),
    }

    learning_rate: float = 1e-4
    hidden_units: int = 400
    discriminator_units: int = setting(
        125, "Width of the discriminator's hidden layer.", minimum=1
    )
    discriminator_learning_rate: float = setting(
        1e-4, "AdamW learning rate of the discriminator.", above=0.0
    )
    zero_weight: float = setting(
        0.03,
        "Weight alpha of zero reconstruction, the squared ratings of items "
        "drawn from those that a user does not have.",
        minimum=0.0,
    )
    zero_share: float = setting(
        0.7,
        "Share of the items that a user does not have, drawn in each step, "
        "whose ratings are to be 0.",
        minimum=0.0,
        maximum=1.0,
    )
    masked_share: float = setting(
        0.7,
        "Share of the items that a user does not have, drawn in each step, "
        "whose ratings the discriminator sees beside those of the user's own.",
        minimum=0.0,
        maximum=1.0,
    )
    alternate_updates: bool = setting(
        False,
        "Train the discriminator for --discriminator_epochs, then the "
        "generator for --generator_epochs, and so on; otherwise both in every "
        "step.",
    )
    discriminator_epochs: int = setting(
        1,
        "Epochs of a cycle in which the discriminator is trained.",
        minimum=1,
    )
    generator_epochs: int = setting(
        1, "Epochs of a cycle in which the generator is trained.", minimum=1
    )

    def unused(self) -> dict[str, str]:
        """See base class."""
        unused = super().unused()
        if not self.alternate_updates:
            names = ("discriminator_epochs", "generator_epochs")
            unused |= dict.fromkeys(names, "without --alternate_updates")
        return unused
