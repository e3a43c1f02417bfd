"""Settings of ACVAE."""

import dataclasses

from tfrec.models.configs.variational import VariationalConfig
from tfrec.settings import setting


@dataclasses.dataclass(frozen=True)
class ACVAEConfig(VariationalConfig):
    """Settings of ACVAE; sizes as in section 4.3.

    Departures from the paper are listed in docs/differences.md.
    """

    embedding_dim: int = 128
    latent_dim: int = 64
    tie_weights: bool = False
    weight_decay: float = 1e-2
    encoder_activation: str = setting(
        "linear",
        "What follows the encoder's GRU: the softplus of eq. 11, or nothing, "
        "as in the authors' code, which learns faster.",
        choices=("linear", "softplus"),
    )
    convolution_filters: int = setting(
        200, "Channels of the causal convolution.", minimum=1
    )
    kernel_size: int = setting(
        5,
        "Positions that the causal convolution spans; 1 puts a dense layer in "
        "its place (the ablation without convolution).",
        minimum=1,
    )
    decoder_units: int = setting(
        128,
        "Width of the decoder; with --tie_weights it is as wide as an "
        "embedding.",
        minimum=1,
    )
    critic_units: int = setting(
        128, "Width of the adversary T and of the critic G.", minimum=1
    )
    dropout: float = setting(
        0.5, "Dropout rate before the latent.", minimum=0.0, below=1.0
    )
    decoder_dropout: float = setting(
        0.0, "Dropout rate before the softmax.", minimum=0.0, below=1.0
    )
    target_window: int = setting(
        1,
        "Predict the set of the next N items from each position (the next-k "
        "of SVAE); 1 predicts the next item alone, as the paper does.",
        minimum=1,
    )
    adversarial_weight: float = setting(
        0.001,
        "Weight alpha of the adversary's KL estimate; 0 trains without it. The "
        "paper's 0.05 weighs the mean over 64 latent dimensions, which is "
        "0.0008 here.",
        minimum=0.0,
    )
    contrastive_weight: float = setting(
        0.1,
        "Weight beta of the contrastive loss; 0 trains without it.",
        minimum=0.0,
    )
    prior_in_adversary: bool = setting(
        True,
        "Add |z|^2 / 2, the known part of log q - log p, to the adversary's "
        "output.",
    )
    alternate_updates: bool = setting(
        False,
        "Update encoder and adversary in turn, as in Algorithm 1; otherwise "
        "both in every step.",
    )
    critic_learning_rate: float = setting(
        5e-4, "SGD learning rate of adversary and critic.", above=0.0
    )
    critic_weight_decay: float = setting(
        1e-1, "SGD weight decay of adversary and critic.", minimum=0.0
    )
