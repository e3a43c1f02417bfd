"""Settings of RecVAE."""

import dataclasses
from typing import ClassVar

from tfrec.errors import InputError
from tfrec.models.configs.sets import SetVAEConfig
from tfrec.models.configs.space import Between, Space
from tfrec.settings import setting


@dataclasses.dataclass(frozen=True)
class RecVAEConfig(SetVAEConfig):
    """Settings of RecVAE; as in the authors' code for MovieLens-20M."""

    space: ClassVar[Space] = {
        **SetVAEConfig.space,
        "kl_weight_per_item": Between(1e-3, 2e-2, log=True),
    }

    learning_rate: float = 5e-4
    kl_weight_per_item: float = setting(
        0.005,
        "gamma: the KL divergence of a user weighs beta_u, this times the "
        "number of the user's items.",
        minimum=0.0,
    )
    old_share: float = setting(
        0.75,
        "Share of the posterior of the epoch before in the prior.",
        minimum=0.0,
        maximum=1.0,
    )
    wide_share: float = setting(
        0.1,
        "Share of a Gaussian with log-variance 10 in the prior; what "
        "--old_share leaves beside it is N(0, I).",
        minimum=0.0,
        maximum=1.0,
    )
    mix_dimensions: bool = setting(
        True,
        "Mix the parts of the prior in each dimension of z, as the authors' "
        "code does; otherwise whole vectors, as the paper writes.",
    )
    alternate_updates: bool = setting(
        True,
        "Train the encoder for --encoder_epochs, then the decoder for "
        "--decoder_epochs, and so on; otherwise both in every step.",
    )
    encoder_epochs: int = setting(
        3, "Epochs of a cycle in which the encoder is trained.", minimum=1
    )
    decoder_epochs: int = setting(
        1,
        "Epochs of a cycle in which the decoder is trained, on whole sets.",
        minimum=1,
    )

    def __post_init__(self):
        super().__post_init__()
        if self.old_share + self.wide_share > 1:
            raise InputError(
                "`--old_share` and `--wide_share` must not sum to more than 1. "
                f"Received: {self.old_share} and {self.wide_share}."
            )

    def unused(self) -> dict[str, str]:
        """See base class."""
        unused = super().unused()
        if not self.alternate_updates:
            names = ("encoder_epochs", "decoder_epochs")
            unused |= dict.fromkeys(names, "with --noalternate_updates")
        return unused
