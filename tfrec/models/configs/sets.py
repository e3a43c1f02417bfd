"""Settings of models that read and predict a user's items as a set."""

import dataclasses
from typing import ClassVar

from tfrec.models.configs.next_item import LearnedConfig
from tfrec.models.configs.space import Between, OneOf, Space
from tfrec.settings import setting


@dataclasses.dataclass(frozen=True)
class SetConfig(LearnedConfig):
    """Settings of every set model."""

    space: ClassVar[Space] = {
        **LearnedConfig.space,
        "hidden_units": OneOf((200, 400, 600)),
    }

    # A set has no newest items: all are read.
    max_length: int = 1_000_000
    hidden_units: int = setting(
        600, "Width of the hidden layers of a set model.", minimum=1
    )


@dataclasses.dataclass(frozen=True)
class SetVAEConfig(SetConfig):
    """Settings of every variational autoencoder of sets."""

    space: ClassVar[Space] = {
        **SetConfig.space,
        "input_dropout": Between(0.2, 0.7),
    }

    latent_dim: int = setting(200, "Size of the latent z.", minimum=1)
    input_dropout: float = setting(
        0.5,
        "Share of the items of a set that training does not read, but "
        "predicts all the same.",
        minimum=0.0,
        below=1.0,
    )
